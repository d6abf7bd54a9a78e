package customers_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/pacer"
)

// TestGoldenPeople holds the schedule of people fixed, as TestGoldenSchedules
// does that of everyone alike.
func TestGoldenPeople(t *testing.T) {
	s := draw(t, loadgen.Plan{
		Seed: 1, Pacer: customers.DayFrom(500, 13*time.Hour+55*time.Minute, 60), Duration: 30 * time.Second,
		Population: customers.Realistic(someCustomers(1000)).WithStorm(10 * time.Second), Journeys: customers.WithMix(everyJourney()),
	})
	last := s.Arrivals[len(s.Arrivals)-1]
	checkGolden(t, "people.golden", fmt.Sprintf("%s, %d arrivals, the last %+v\n", s.SHA256(), len(s.Arrivals), last))
}

// TestSomeAreBusier counts the arrivals of each customer: by Zipf's law that of
// the k-th busiest has a share of k^-s / Σ i^-s.
func TestSomeAreBusier(t *testing.T) {
	const n, people = 100_000.0, 50
	for _, exponent := range []float64{0, 0.75, 1.2} {
		s := draw(t, loadgen.Plan{
			Seed: 7, Pacer: pacer.Constant{PerS: n}, Duration: time.Second,
			Population: customers.People{Customers: someCustomers(people), Zipf: exponent},
		})
		counts := make([]float64, people)
		for _, a := range s.Arrivals {
			counts[a.Customer]++
		}
		if exponent > 0 && slices.IsSortedFunc(counts, func(a, b float64) int { return int(b - a) }) {
			t.Errorf("s = %v: who is busy goes by the index", exponent)
		}
		slices.Sort(counts)
		slices.Reverse(counts)
		sum := 0.0
		for k := range people {
			sum += math.Pow(float64(k+1), -exponent)
		}
		for k, count := range counts {
			p := math.Pow(float64(k+1), -exponent) / sum
			// Sorting moves neighbours of nearly the same share past each other,
			// which is within the noise of each.
			if tolerance := 5 * math.Sqrt(p*(1-p)/n); math.Abs(count/n-p) > tolerance {
				t.Errorf("s = %v: the %d. busiest has a share of %.4f, want %.4f ± %.4f", exponent, k+1, count/n, p, tolerance)
			}
		}
	}
}

// TestBusyPeopleStayBusy: in whatever load, and whatever the seed.
func TestBusyPeopleStayBusy(t *testing.T) {
	busiest := func(seed uint64, load string) int32 {
		s := draw(t, loadgen.Plan{
			Seed: seed, Load: load, Pacer: pacer.Constant{PerS: 20_000}, Duration: time.Second,
			Population: customers.Realistic(someCustomers(100)),
		})
		counts := map[int32]int{}
		best := int32(0)
		for _, a := range s.Arrivals {
			if counts[a.Customer]++; counts[a.Customer] > counts[best] {
				best = a.Customer
			}
		}
		return best
	}
	first := busiest(1, customers.LoadMain)
	if a, b := busiest(2, customers.LoadMain), busiest(1, customers.LoadWarmup); a != first || b != first {
		t.Errorf("the busiest is %d, then %d, then %d", first, a, b)
	}
}

// TestPushesAreLookedAt compares people with pushes with the same people
// without: what comes in addition are looks at the app by those who paid.
func TestPushesAreLookedAt(t *testing.T) {
	const share, median, people = 0.3, 200 * time.Millisecond, 50_000
	plan := loadgen.Plan{
		Seed: 5, Pacer: pacer.Poisson{PerS: 2000}, Duration: 10 * time.Second,
		Population: customers.People{Customers: someCustomers(people)},
	}
	alone := draw(t, plan)
	plan.Population = customers.People{Customers: someCustomers(people), PushShare: share, PushMedian: median}
	pushed := draw(t, plan)

	buzzed := map[int32][]time.Duration{} // by customer
	expected := 0.0
	for _, a := range alone.Arrivals {
		switch a.Journey {
		case customers.CardTap, customers.PrepaidTap, customers.TransferIn:
			buzzed[a.Customer] = append(buzzed[a.Customer], a.At)
			if a.At < plan.Duration-5*time.Second { // Nearly none looks later than that.
				expected += share
			}
		}
	}
	i, looks, early := 0, 0.0, 0.0
	var followed []loadgen.Arrival
	for _, a := range pushed.Arrivals {
		if i < len(alone.Arrivals) && !a.Follows {
			if a != alone.Arrivals[i] {
				t.Fatalf("arrival %d: %+v became %+v", i, alone.Arrivals[i], a)
			}
			i++
			continue
		}
		followed = append(followed, a)
	}
	if i != len(alone.Arrivals) {
		t.Fatalf("%d of %d arrivals are still there", i, len(alone.Arrivals))
	}
	for _, a := range followed {
		if a.Journey != customers.AppRefresh || a.AmountMinor != 0 {
			t.Fatalf("a push led to %+v", a)
		}
		since := time.Duration(math.MaxInt64)
		for _, at := range buzzed[a.Customer] {
			if at < a.At {
				since = min(since, a.At-at)
			}
		}
		if since == math.MaxInt64 {
			t.Fatalf("%+v follows nothing", a)
		}
	}
	// Of those who paid once, early enough for nearly all to look in time.
	looked := map[int32]time.Duration{}
	for _, a := range followed {
		looked[a.Customer] = a.At
	}
	for customer, times := range buzzed {
		at, opened := looked[customer]
		if opened && len(times) == 1 && times[0] < plan.Duration-5*time.Second {
			looks++
			if at-times[0] <= median {
				early++
			}
		}
	}
	if n, want := float64(len(followed)), expected*2; math.Abs(n-want) > 0.1*want {
		t.Errorf("%v looks, want about %.0f", n, want)
	}
	if looks < 500 || math.Abs(early/looks-0.5) > 5*math.Sqrt(0.25/looks) {
		t.Errorf("%.0f of %.0f looks are within the median delay", early, looks)
	}
}

// TestAStormComesOnce: after the bank has written to everyone, some look, each
// once.
func TestAStormComesOnce(t *testing.T) {
	const n, share, at = 5000, 0.2, 2 * time.Second
	p := customers.People{Customers: someCustomers(n), StormAt: at, StormShare: share, PushMedian: 500 * time.Millisecond}
	s := draw(t, loadgen.Plan{Seed: 9, Pacer: pacer.Poisson{PerS: 100}, Duration: 30 * time.Second, Population: p})
	looked := map[int32]bool{}
	early := 0.0
	for _, a := range s.Arrivals {
		if !a.Follows {
			continue
		}
		if a.Journey != customers.AppRefresh || a.At < at || looked[a.Customer] {
			t.Fatalf("%+v, having looked: %v", a, looked[a.Customer])
		}
		looked[a.Customer] = true
		if a.At < at+p.PushMedian {
			early++
		}
	}
	// 5 √(n p (1-p)) is 141, and of half of 1,000, 79.
	if got := float64(len(looked)); math.Abs(got-n*share) > 141 || math.Abs(early-got/2) > 79 {
		t.Errorf("%v customers looked, %v of them within the median delay; want 1000 and 500", got, early)
	}
}

func TestPeopleWhoCannotBe(t *testing.T) {
	good := customers.Realistic(someCustomers(2))
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*customers.People){
		"a Zipf exponent of -1":      func(p *customers.People) { p.Zipf = -1 },
		"a Zipf exponent of NaN":     func(p *customers.People) { p.Zipf = math.NaN() },
		"1.5 of the taps":            func(p *customers.People) { p.PushShare = 1.5 },
		"-0.1 of all customers":      func(p *customers.People) { p.StormShare = -0.1 },
		"cannot be looked at -1s":    func(p *customers.People) { p.PushMedian = -time.Second },
		"or sent at -1s":             func(p *customers.People) { p.StormAt = -time.Second },
		"the plan has no customers":  func(p *customers.People) { p.Customers = nil },
		"which JSON would have to e": func(p *customers.People) { p.Customers = []customers.Customer{{ID: "a\n"}} },
	} {
		p := good
		spoil(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
