package loadgen_test

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
	"breakbank/loadgen/evidence"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func customers(n int) []loadgen.Customer {
	all := make([]loadgen.Customer, n)
	for i := range all {
		all[i] = loadgen.Customer{
			ID: fmt.Sprintf("c%05d", i), Account: fmt.Sprintf("acc-%05d", i),
			CardNumber: fmt.Sprintf("535522%09d0", i), PrepaidNumber: fmt.Sprintf("535521%09d0", i),
		}
	}
	return all
}

func draw(t testing.TB, p loadgen.Plan) *loadgen.Schedule {
	t.Helper()
	if p.Customers == nil {
		p.Customers = customers(100)
	}
	s, err := loadgen.Draw(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pacers are all pacers, each at about 500 a second.
var pacers = []struct {
	name  string
	pacer loadgen.Pacer
}{
	{"poisson", loadgen.Poisson{PerS: 500}},
	{"constant", loadgen.Constant{PerS: 500}},
	{"ramp up", loadgen.Ramp{FromPerS: 0, ToPerS: 1000, Over: 8 * time.Second}},
	{"ramp down", loadgen.Ramp{FromPerS: 1000, ToPerS: 100, Over: 5 * time.Second}},
	{"step", loadgen.Step{FromPerS: 100, ToPerS: 900, At: 5 * time.Second}},
	{"burst", loadgen.Burst{BasePerS: 250, PeakPerS: 1500, Every: time.Second, For: 200 * time.Millisecond}},
}

// TestGoldenSchedules holds the schedule of a seed fixed: across versions of
// this code, of Go, and across machines.
func TestGoldenSchedules(t *testing.T) {
	var got strings.Builder
	for _, p := range pacers {
		s := draw(t, loadgen.Plan{Seed: 1, Pacer: p.pacer, Duration: 10 * time.Second})
		last := len(s.Arrivals) - 1
		fmt.Fprintf(&got, "%s: %s, %d arrivals, the last %+v, key %q\n", p.name, s.SHA256(), len(s.Arrivals), s.Arrivals[last], s.Key(last))
	}
	path := filepath.Join("testdata", "schedules.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the schedules of seed 1 have changed (-update if meant):\ngot\n%swant\n%s", got.String(), want)
	}
}

func TestTheHashTellsSchedulesApart(t *testing.T) {
	base := loadgen.Plan{Seed: 1, Pacer: loadgen.Poisson{PerS: 100}, Duration: time.Second, Customers: customers(10)}
	hash := draw(t, base).SHA256()
	if again := draw(t, base).SHA256(); again != hash {
		t.Errorf("the same plan gave %s, then %s", hash, again)
	}
	for name, change := range map[string]func(*loadgen.Plan){
		"seed":      func(p *loadgen.Plan) { p.Seed = 2 },
		"load":      func(p *loadgen.Plan) { p.Load = loadgen.LoadWarmup },
		"pacer":     func(p *loadgen.Plan) { p.Pacer = loadgen.Poisson{PerS: 101} },
		"duration":  func(p *loadgen.Plan) { p.Duration *= 2 },
		"mix":       func(p *loadgen.Plan) { p.Mix = loadgen.Only(loadgen.CardTap) },
		"customers": func(p *loadgen.Plan) { p.Customers = customers(11) },
	} {
		p := base
		change(&p)
		if draw(t, p).SHA256() == hash {
			t.Errorf("another %s gives the same hash", name)
		}
	}
}

func TestAnotherMixKeepsTimesAndCustomers(t *testing.T) {
	p := loadgen.Plan{Seed: 3, Pacer: loadgen.Poisson{PerS: 200}, Duration: time.Second}
	all := draw(t, p)
	p.Mix = loadgen.Only(loadgen.CopsLookup)
	cops := draw(t, p)
	if len(all.Arrivals) != len(cops.Arrivals) {
		t.Fatalf("%d arrivals became %d", len(all.Arrivals), len(cops.Arrivals))
	}
	for i, a := range all.Arrivals {
		if b := cops.Arrivals[i]; a.At != b.At || a.Customer != b.Customer || b.Journey != loadgen.CopsLookup || b.AmountMinor != 0 {
			t.Fatalf("arrival %d: %+v became %+v", i, a, b)
		}
	}
}

// TestPacersKeepTheirRate compares arrivals in each half second with the
// integral of Rate: a Poisson count of mean m lies within 5 √m of it but for
// one time in a million.
func TestPacersKeepTheirRate(t *testing.T) {
	const window = 500 * time.Millisecond
	for _, p := range pacers {
		s := draw(t, loadgen.Plan{Seed: 5, Pacer: p.pacer, Duration: 10 * time.Second})
		for from := time.Duration(0); from < s.Duration; from += window {
			want := 0.0
			for at := from; at < from+window; at += time.Millisecond {
				want += p.pacer.Rate(at+time.Millisecond/2) / 1000
			}
			got := float64(s.Until(from+window) - s.Until(from))
			if math.Abs(got-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("%s: %v arrivals from %v to %v, %.1f expected", p.name, got, from, from+window, want)
			}
		}
	}
}

func TestSchedules(t *testing.T) {
	everyone := customers(997)
	rapid.Check(t, func(t *rapid.T) {
		plan := loadgen.Plan{
			Seed:     rapid.Uint64().Draw(t, "seed"),
			Pacer:    rapid.SampledFrom(pacers).Draw(t, "pacer").pacer,
			Duration: time.Duration(rapid.Int64Range(1, 10e9).Draw(t, "ns")), Customers: everyone,
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
			if write := loadgen.Journeys[a.Journey].Write; write != (a.AmountMinor > 0) || write != (s.Key(i) != "") {
				t.Fatalf("arrival %d: amount or key do not go with %v: %+v, %q", i, a.Journey, a, s.Key(i))
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
	s := draw(t, loadgen.Plan{Seed: 11, Pacer: loadgen.Constant{PerS: n}, Duration: time.Second})
	var counts [loadgen.JourneyCount]float64
	amounts, taps := 0.0, 0.0
	for _, a := range s.Arrivals {
		counts[a.Journey]++
		if a.AmountMinor > 0 {
			amounts, taps = amounts+float64(a.AmountMinor), taps+1
		}
	}
	sum := 0
	for j, spec := range loadgen.Journeys {
		sum += spec.SharePercent
		p := float64(spec.SharePercent) / 100
		if got := counts[j] / n; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("%s has a share of %.4f, want %.2f", spec.Name, got, p)
		}
	}
	if sum != 100 {
		t.Errorf("the shares add up to %d %%", sum)
	}
	if mean := amounts / taps; math.Abs(mean-2000) > 40 {
		t.Errorf("payments are £%.2f on average, want about £20", mean/100)
	}
}

func TestPoissonGapsAreExponential(t *testing.T) {
	rejected := 0
	for seed := range uint64(40) {
		s := draw(t, loadgen.Plan{Seed: seed, Pacer: loadgen.Poisson{PerS: 500}, Duration: 10 * time.Second})
		if evidence.ExponentialGaps(evidence.Intended(s), 500).P < 0.01 {
			rejected++
		}
	}
	// At 1 %, 40 fair draws are rejected 5 times or more once in 10,000.
	if rejected >= 5 {
		t.Errorf("%d of 40 schedules do not look like a Poisson process", rejected)
	}
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: loadgen.Constant{PerS: 500}, Duration: 10 * time.Second})
	if p := evidence.ExponentialGaps(evidence.Intended(s), 500).P; p > 1e-6 {
		t.Errorf("a metronome passes for a Poisson process (P = %v)", p)
	}
}

func TestKeysAreUniqueOverARun(t *testing.T) {
	seen := map[string]bool{}
	for _, load := range []string{loadgen.LoadMain, loadgen.LoadWarmup} {
		s := draw(t, loadgen.Plan{Seed: 1, Load: load, Pacer: loadgen.Poisson{PerS: 20_000}, Duration: time.Second})
		for seq := range s.Arrivals {
			key := s.Key(seq)
			if key != "" && seen[key] {
				t.Fatalf("key %q comes twice", key)
			}
			seen[key] = true
		}
	}
}

func TestPlansThatCannotBeDrawn(t *testing.T) {
	good := func() loadgen.Plan {
		return loadgen.Plan{Pacer: loadgen.Poisson{PerS: 1}, Duration: time.Second, Customers: customers(1)}
	}
	for want, spoil := range map[string]func(*loadgen.Plan){
		"no pacer":           func(p *loadgen.Plan) { p.Pacer = nil },
		"above 0 per second": func(p *loadgen.Plan) { p.Pacer = loadgen.Poisson{} },
		"is not a rate":      func(p *loadgen.Plan) { p.Pacer = loadgen.Step{FromPerS: -1, ToPerS: 2} },
		"longer than":        func(p *loadgen.Plan) { p.Pacer = loadgen.Ramp{ToPerS: 2} },
		"is not a burst":     func(p *loadgen.Plan) { p.Pacer = loadgen.Burst{PeakPerS: 2} },
		"holds no arrival":   func(p *loadgen.Plan) { p.Duration = 0 },
		"no customers":       func(p *loadgen.Plan) { p.Customers = nil },
		"main, warmup":       func(p *loadgen.Plan) { p.Load = "other" },
		"a weight of -1":     func(p *loadgen.Plan) { p.Mix[0] = -1 },
		"have to escape":     func(p *loadgen.Plan) { p.Customers = []loadgen.Customer{{ID: `a"b`}} },
	} {
		p := good()
		spoil(&p)
		if _, err := loadgen.Draw(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
