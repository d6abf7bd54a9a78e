package loadgen_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/draw"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"

	"pgregory.net/rapid"
)

// crowd is a population of so many. Each arrival of journey 0 leads to others,
// as many as there are delays.
type crowd struct {
	n      uint64
	delays []time.Duration
}

func (c crowd) Check() error {
	if c.n == 0 {
		return errors.New("nobody is there")
	}
	return nil
}

func (c crowd) AppendIdentity(buf []byte) []byte { return binary.BigEndian.AppendUint64(buf, c.n) }

func (c crowd) Drawer(of func(string) draw.Stream) loadgen.Drawer { return &crowdDrawer{c, of("who")} }

type crowdDrawer struct {
	crowd
	who draw.Stream
}

func (d *crowdDrawer) Draw(a *loadgen.Arrival) { a.Customer = int32(d.who.Below(d.n)) }

func (d *crowdDrawer) After(a *loadgen.Arrival) []loadgen.Arrival {
	var after []loadgen.Arrival
	for i, delay := range d.delays {
		if a.Journey == 0 {
			after = append(after, loadgen.Arrival{At: a.At + delay, Customer: a.Customer, Journey: 1, Counterparty: uint16(i + 1)})
		}
	}
	return after
}

// idle is a step for plans that are only drawn.
var idle = []loadgen.Step{{Build: func(*loadgen.Visit, *transport.Call) error { return errors.New("not to be sent") }}}

// kinds is a table of journeys with these weights.
func kinds(weights ...int) []loadgen.JourneySpec {
	table := make([]loadgen.JourneySpec, len(weights))
	for i, weight := range weights {
		table[i] = loadgen.JourneySpec{Name: fmt.Sprint("kind ", i), Weight: weight, Patience: time.Second, Steps: idle}
	}
	return table
}

func drawn(t testing.TB, p loadgen.Plan) *loadgen.Schedule {
	t.Helper()
	s, err := loadgen.Draw(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheHashTellsSchedulesApart(t *testing.T) {
	base := loadgen.Plan{Seed: 1, Pacer: pacer.Poisson{PerS: 100}, Duration: time.Second, Journeys: kinds(1, 1), Population: crowd{n: 10}}
	hash := drawn(t, base).SHA256()
	if again := drawn(t, base).SHA256(); again != hash {
		t.Errorf("the same plan gave %s, then %s", hash, again)
	}
	renamed := kinds(1, 1)
	renamed[0].Name = "another"
	for name, change := range map[string]func(*loadgen.Plan){
		"seed":       func(p *loadgen.Plan) { p.Seed = 2 },
		"load":       func(p *loadgen.Plan) { p.Load = "another" },
		"pacer":      func(p *loadgen.Plan) { p.Pacer = pacer.Poisson{PerS: 101} },
		"duration":   func(p *loadgen.Plan) { p.Duration++ },
		"mix":        func(p *loadgen.Plan) { p.Journeys = kinds(1, 2) },
		"name":       func(p *loadgen.Plan) { p.Journeys = renamed },
		"population": func(p *loadgen.Plan) { p.Population = crowd{n: 11} },
		"nobody":     func(p *loadgen.Plan) { p.Population = nil },
	} {
		p := base
		change(&p)
		if drawn(t, p).SHA256() == hash {
			t.Errorf("another %s gives the same hash", name)
		}
	}
}

// TestTheHashCoversWhatIsSent: what the steps send, and, where that is drawn too,
// what it is drawn from.
func TestTheHashCoversWhatIsSent(t *testing.T) {
	plan := func(seed uint64, load, sends string, draws bool) *loadgen.Schedule {
		journeys := kinds(1)
		journeys[0].Sends, journeys[0].Draws = []byte(sends), draws
		return drawn(t, loadgen.Plan{Seed: seed, Load: load, Pacer: pacer.Constant{PerS: 10}, Duration: time.Second, Journeys: journeys})
	}
	fixed, varying := plan(1, "", "a", false).SHA256(), plan(1, "", "a", true)
	if plan(1, "", "b", false).SHA256() == fixed || plan(1, "", "", false).SHA256() == fixed {
		t.Error("other data gives the same hash")
	}
	if plan(2, "", "a", false).SHA256() != fixed {
		t.Error("another seed gives another hash, though the same is sent at the same times")
	}
	if plan(1, "", "a", true).SHA256() != varying.SHA256() || plan(2, "", "a", true).SHA256() == varying.SHA256() {
		t.Error("the seed of what is drawn is not in the hash")
	}
	before := varying.SHA256()
	if varying.GoesOnAfter(plan(1, "before", "a", true), false); varying.SHA256() == before || varying.First != 9 {
		t.Errorf("the numbers of the requests are not in the hash: the first is %d", varying.First)
	}
}

// TestLoadsDrawApart: what is drawn while a load is performed depends on its seed
// and its name, but not on what it is renamed to for its records.
func TestLoadsDrawApart(t *testing.T) {
	plan := func(seed uint64, load string) *loadgen.Schedule {
		return drawn(t, loadgen.Plan{Seed: seed, Load: load, Pacer: pacer.Constant{PerS: 10}, Duration: time.Second, Journeys: kinds(1)})
	}
	main := plan(1, "")
	if again := plan(1, loadgen.LoadMain); again.Drawn != main.Drawn {
		t.Error("the same load draws differently")
	}
	if plan(1, "warmup").Drawn == main.Drawn || plan(2, "").Drawn == main.Drawn {
		t.Error("another load draws the same")
	}
	renamed := *main
	if renamed.Load += " again"; renamed.Drawn != main.Drawn {
		t.Error("a load that is renamed draws differently")
	}
	if renamed.GoesOnAfter(main, true); renamed.First < 1_000_000 {
		t.Errorf("a closed loop of a second may have used numbers from %d on", renamed.First)
	}
}

// TestPurposesDrawApart: another mix, or nobody to draw from, moves no time.
func TestPurposesDrawApart(t *testing.T) {
	base := loadgen.Plan{Seed: 3, Pacer: pacer.Poisson{PerS: 200}, Duration: time.Second, Journeys: kinds(1, 1), Population: crowd{n: 9}}
	all := drawn(t, base)
	for name, change := range map[string]func(*loadgen.Plan){
		"mix":    func(p *loadgen.Plan) { p.Journeys = kinds(0, 1) },
		"nobody": func(p *loadgen.Plan) { p.Population = nil },
	} {
		p := base
		change(&p)
		other := drawn(t, p)
		if len(other.Arrivals) != len(all.Arrivals) {
			t.Fatalf("%s: %d arrivals became %d", name, len(all.Arrivals), len(other.Arrivals))
		}
		for i, a := range all.Arrivals {
			b := other.Arrivals[i]
			if a.At != b.At || name == "mix" && (a.Customer != b.Customer || b.Journey != 1) || name == "nobody" && a.Journey != b.Journey {
				t.Fatalf("%s: arrival %d: %+v became %+v", name, i, a, b)
			}
		}
	}
}

// TestWhatArrivalsLeadTo: each brings what follows from it, in order of time,
// as far as the schedule lasts; and what follows brings nothing more.
func TestWhatArrivalsLeadTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(rapid.IntRange(1, 1500), 0, 4).Draw(t, "delays")
		delays := make([]time.Duration, len(ms))
		for i := range ms {
			delays[i] = time.Duration(ms[i]) * time.Millisecond
		}
		p := loadgen.Plan{
			Seed: rapid.Uint64().Draw(t, "seed"), Pacer: pacer.Poisson{PerS: 100}, Duration: 2 * time.Second,
			Journeys: kinds(1, 2, 1), Population: crowd{n: 7, delays: delays},
		}
		s, err := loadgen.Draw(p)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(s.Arrivals, func(a, b loadgen.Arrival) int { return int(a.At - b.At) }) {
			t.Fatal("not in order")
		}
		p.Population = crowd{n: 7}
		alone, err := loadgen.Draw(p)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(alone.Arrivals)
		for _, a := range alone.Arrivals {
			for _, f := range (&crowdDrawer{crowd: crowd{delays: delays}}).After(&a) {
				if f.Follows = true; f.At < p.Duration {
					want = append(want, f)
				}
			}
		}
		order := func(a, b loadgen.Arrival) int {
			return slices.Compare([]int64{int64(a.At), int64(a.Counterparty), int64(a.Customer)}, []int64{int64(b.At), int64(b.Counterparty), int64(b.Customer)})
		}
		slices.SortFunc(want, order)
		got := slices.SortedFunc(slices.Values(s.Arrivals), order)
		if !slices.Equal(got, want) {
			t.Fatalf("got %d arrivals, want %d", len(got), len(want))
		}
	})
}

// TestWeights: with 100,000 arrivals, a share p is off by more than 5
// √(p(1-p)/n) once in a million draws.
func TestWeights(t *testing.T) {
	const n = 100_000.0
	weights := []int{3, 0, 5, 2}
	s := drawn(t, loadgen.Plan{Seed: 11, Pacer: pacer.Constant{PerS: n}, Duration: time.Second, Journeys: kinds(weights...)})
	counts := make([]float64, len(weights))
	for _, a := range s.Arrivals {
		counts[a.Journey]++
	}
	for j, weight := range weights {
		p := float64(weight) / 10
		if got := counts[j] / n; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("journey %d has a share of %.4f, want %.2f", j, got, p)
		}
	}
}

func TestUntil(t *testing.T) {
	s := drawn(t, loadgen.Plan{Pacer: pacer.Constant{PerS: 10}, Duration: time.Second, Journeys: kinds(1)})
	for at, want := range map[time.Duration]int{0: 0, 100 * time.Millisecond: 0, 100*time.Millisecond + 1: 1, 950 * time.Millisecond: 9, time.Hour: 9} {
		if got := s.Until(at); got != want {
			t.Errorf("%d arrivals before %v, want %d", got, at, want)
		}
	}
}

// wrong is a pacer that knows that it is wrong.
type wrong struct{ pacer.Poisson }

func (wrong) Validate() error { return errors.New("it knows no time") }

func TestPlansThatCannotBeDrawn(t *testing.T) {
	good := func() loadgen.Plan {
		return loadgen.Plan{Pacer: pacer.Poisson{PerS: 1}, Duration: time.Second, Journeys: kinds(1, 0)}
	}
	drawn(t, good())
	for want, spoil := range map[string]func(*loadgen.Plan){
		"no pacer":         func(p *loadgen.Plan) { p.Pacer = nil },
		"it knows no time": func(p *loadgen.Plan) { p.Pacer = wrong{} },
		"holds no arrival": func(p *loadgen.Plan) { p.Duration = 0 },
		"nobody is there":  func(p *loadgen.Plan) { p.Population = crowd{} },
		"a weight of -1":   func(p *loadgen.Plan) { p.Journeys[0].Weight = -1 },
		"no journey has a": func(p *loadgen.Plan) { p.Journeys[0].Weight = 0 },
		"a patience of 0s": func(p *loadgen.Plan) { p.Journeys[1].Patience = 0 },
		"has no steps":     func(p *loadgen.Plan) { p.Journeys[0].Steps = nil },
		"0 journeys":       func(p *loadgen.Plan) { p.Journeys = nil },
		"65 journeys":      func(p *loadgen.Plan) { p.Journeys = kinds(make([]int, 65)...) },
	} {
		p := good()
		spoil(&p)
		if _, err := loadgen.Draw(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestFind(t *testing.T) {
	table := kinds(1, 1)
	if j, err := loadgen.Find(table, "kind 1"); err != nil || j != 1 {
		t.Errorf("got %v, %v", j, err)
	}
	if _, err := loadgen.Find(table, "lunch"); err == nil || !strings.Contains(err.Error(), "kind 0, kind 1") {
		t.Errorf("an unknown journey gives %v", err)
	}
}
