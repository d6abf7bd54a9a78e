package customers_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/pacer"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func someCustomers(n int) []customers.Customer {
	all := make([]customers.Customer, n)
	for i := range all {
		all[i] = customers.Customer{
			ID: fmt.Sprintf("c%05d", i), Account: fmt.Sprintf("acc-%05d", i),
			CardNumber: fmt.Sprintf("535522%09d0", i), PrepaidNumber: fmt.Sprintf("535521%09d0", i),
		}
	}
	return all
}

// draw draws a plan, which is of the default mix and of 100 customers unless it
// says otherwise.
func draw(t testing.TB, p loadgen.Plan) *loadgen.Schedule {
	t.Helper()
	if p.Population == nil {
		p.Population = customers.Even{Customers: someCustomers(100)}
	}
	if p.Journeys == nil {
		p.Journeys = customers.Table()
	}
	s, err := loadgen.Draw(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pacers are some pacers, each at about 500 a second.
var pacers = []struct {
	name  string
	pacer loadgen.Pacer
}{
	{"poisson", pacer.Poisson{PerS: 500}},
	{"constant", pacer.Constant{PerS: 500}},
	{"ramp up", pacer.Ramp{FromPerS: 0, ToPerS: 1000, Over: 8 * time.Second}},
	{"ramp down", pacer.Ramp{FromPerS: 1000, ToPerS: 100, Over: 5 * time.Second}},
	{"step", pacer.Step{FromPerS: 100, ToPerS: 900, At: 5 * time.Second}},
	{"burst", pacer.Burst{BasePerS: 250, PeakPerS: 1500, Every: time.Second, For: 200 * time.Millisecond}},
}

// TestGoldenSchedules holds the schedule of a seed fixed: across versions of
// this code, of Go, and across machines.
func TestGoldenSchedules(t *testing.T) {
	var got strings.Builder
	for _, p := range pacers {
		s := draw(t, loadgen.Plan{Seed: 1, Pacer: p.pacer, Duration: 10 * time.Second})
		last := len(s.Arrivals) - 1
		a := s.Arrivals[last]
		fmt.Fprintf(&got, "%s: %s, %d arrivals, the last {At:%v Customer:%d AmountMinor:%d Counterparty:%d Journey:%s}, key %q\n",
			p.name, s.SHA256(), len(s.Arrivals), a.At, a.Customer, a.AmountMinor, a.Counterparty, s.Journeys[a.Journey].Name, customers.Key(s, last, 0))
	}
	checkGolden(t, "schedules.golden", got.String())
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the schedules of seed 1 have changed (-update if meant):\ngot\n%swant\n%s", got, want)
	}
}

func TestTheHashTellsSchedulesApart(t *testing.T) {
	base := loadgen.Plan{
		Seed: 1, Pacer: pacer.Poisson{PerS: 100}, Duration: time.Second,
		Population: customers.Even{Customers: someCustomers(10)},
	}
	hash := draw(t, base).SHA256()
	if again := draw(t, base).SHA256(); again != hash {
		t.Errorf("the same plan gave %s, then %s", hash, again)
	}
	for name, change := range map[string]func(*loadgen.Plan){
		"seed":      func(p *loadgen.Plan) { p.Seed = 2 },
		"load":      func(p *loadgen.Plan) { p.Load = customers.LoadWarmup },
		"pacer":     func(p *loadgen.Plan) { p.Pacer = pacer.Poisson{PerS: 101} },
		"duration":  func(p *loadgen.Plan) { p.Duration *= 2 },
		"mix":       func(p *loadgen.Plan) { p.Journeys = customers.WithMix(customers.Only(customers.CardTap)) },
		"customers": func(p *loadgen.Plan) { p.Population = customers.Even{Customers: someCustomers(11)} },
		"model":     func(p *loadgen.Plan) { p.Population = customers.People{Customers: someCustomers(10)} },
	} {
		p := base
		change(&p)
		if draw(t, p).SHA256() == hash {
			t.Errorf("another %s gives the same hash", name)
		}
	}
}

func TestAnotherMixKeepsTimesAndCustomers(t *testing.T) {
	p := loadgen.Plan{Seed: 3, Pacer: pacer.Poisson{PerS: 200}, Duration: time.Second}
	all := draw(t, p)
	p.Journeys = customers.WithMix(customers.Only(customers.CopsLookup))
	cops := draw(t, p)
	if len(all.Arrivals) != len(cops.Arrivals) {
		t.Fatalf("%d arrivals became %d", len(all.Arrivals), len(cops.Arrivals))
	}
	for i, a := range all.Arrivals {
		if b := cops.Arrivals[i]; a.At != b.At || a.Customer != b.Customer || b.Journey != customers.CopsLookup || b.AmountMinor != 0 {
			t.Fatalf("arrival %d: %+v became %+v", i, a, b)
		}
	}
}

func TestSchedules(t *testing.T) {
	everyone := someCustomers(997)
	mix := customers.DefaultMix()
	mix[customers.PaySession] = 5
	rapid.Check(t, func(t *rapid.T) {
		populations := []loadgen.Population{
			customers.Even{Customers: everyone},
			customers.People{Customers: everyone, PushShare: 0.5, StormAt: time.Second, StormShare: 0.1},
		}
		plan := loadgen.Plan{
			Seed:     rapid.Uint64().Draw(t, "seed"),
			Pacer:    rapid.SampledFrom(pacers).Draw(t, "pacer").pacer,
			Duration: time.Duration(rapid.Int64Range(1, 5e9).Draw(t, "ns")), Journeys: customers.WithMix(mix),
			Population: rapid.SampledFrom(populations).Draw(t, "population"),
		}
		s, err := loadgen.Draw(plan)
		if err != nil {
			t.Fatal(err)
		}
		var last time.Duration
		for i, a := range s.Arrivals {
			if a.At < last || a.At >= plan.Duration || int(a.Customer) >= len(everyone) || a.Customer < 0 {
				t.Fatalf("arrival %d of %v after %v: %+v", i, plan.Duration, last, a)
			}
			if write := customers.Journeys[a.Journey].Write; write != (a.AmountMinor > 0) || write != (customers.Key(s, i, 0) != "") {
				t.Fatalf("arrival %d: amount or key do not go with %v: %+v, %q", i, a.Journey, a, customers.Key(s, i, 0))
			}
			last = a.At
		}
		if n := s.Until(plan.Duration); n != len(s.Arrivals) {
			t.Fatalf("%d of %d arrivals before the end", n, len(s.Arrivals))
		}
	})
}

// TestMixShares: with 200,000 arrivals, a share p is off by more than 5
// √(p(1-p)/n) once in a million draws.
func TestMixShares(t *testing.T) {
	const n = 200_000.0
	s := draw(t, loadgen.Plan{Seed: 11, Pacer: pacer.Constant{PerS: n}, Duration: time.Second})
	var counts [customers.JourneyCount]float64
	amounts, paid := 0.0, 0.0
	for _, a := range s.Arrivals {
		counts[a.Journey]++
		if a.AmountMinor > 0 {
			amounts, paid = amounts+float64(a.AmountMinor), paid+1
		}
	}
	sum := 0
	for j, spec := range customers.Journeys {
		sum += spec.Weight
		p := float64(spec.Weight) / 100
		if got := counts[j] / n; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("%s has a share of %.4f, want %.2f", spec.Name, got, p)
		}
	}
	if sum != 100 {
		t.Errorf("the shares add up to %d %%", sum)
	}
	if mean := amounts / paid; math.Abs(mean-2000) > 40 {
		t.Errorf("payments are £%.2f on average, want about £20", mean/100)
	}
}

// TestKeysAreUniqueOverARun: no two arrivals share a key, in whatever load; of
// the tries of one, those of a tap have keys of their own.
func TestKeysAreUniqueOverARun(t *testing.T) {
	seen := map[string]bool{}
	for _, load := range []string{customers.LoadMain, customers.LoadWarmup, "step 1", "step 2"} {
		s := draw(t, loadgen.Plan{Seed: 1, Load: load, Pacer: pacer.Poisson{PerS: 10_000}, Duration: time.Second})
		for seq := range s.Arrivals {
			isTap := s.Arrivals[seq].Journey == customers.CardTap || s.Arrivals[seq].Journey == customers.PrepaidTap
			key, again := customers.Key(s, seq, 0), customers.Key(s, seq, 1)
			switch {
			case key == "":
				continue
			case seen[key] || isTap && seen[again]:
				t.Fatalf("key %q or %q comes twice", key, again)
			case isTap == (key == again):
				t.Fatalf("%s: the key was %q, of the second try %q", s.Journeys[s.Arrivals[seq].Journey].Name, key, again)
			}
			seen[key], seen[again] = true, true
		}
		// In a closed loop the schedule is performed over and over.
		if lap := customers.Key(s, len(s.Arrivals), 0); lap != "" && seen[lap] {
			t.Errorf("the second lap begins with the key %q of the first", lap)
		}
	}
}

func TestPlansThatCannotBeDrawn(t *testing.T) {
	good := func() loadgen.Plan {
		return loadgen.Plan{
			Pacer: pacer.Poisson{PerS: 1}, Duration: time.Second, Journeys: customers.Table(),
			Population: customers.Even{Customers: someCustomers(1)},
		}
	}
	if _, err := loadgen.Draw(good()); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*loadgen.Plan){
		"no customers":     func(p *loadgen.Plan) { p.Population = customers.Even{} },
		"a weight of -1":   func(p *loadgen.Plan) { p.Journeys = customers.WithMix(customers.Mix{-1, 2}) },
		"no journey has a": func(p *loadgen.Plan) { p.Journeys = customers.WithMix(customers.Mix{}) },
		"have to escape":   func(p *loadgen.Plan) { p.Population = customers.Even{Customers: []customers.Customer{{ID: `a"b`}}} },
	} {
		p := good()
		spoil(&p)
		if _, err := loadgen.Draw(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
