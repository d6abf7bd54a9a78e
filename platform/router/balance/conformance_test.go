package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2017, 10, 27, 14, 0, 0, 0, time.UTC)

func testEndpoints(n int) []Endpoint {
	endpoints := make([]Endpoint, n)
	for i := range endpoints {
		endpoints[i] = Endpoint{ID: fmt.Sprintf("10.0.0.%d:1", i), Healthy: true}
	}
	return endpoints
}

// Every strategy must spread equal requests over equal endpoints.
//
// The bound: were each pick independent and uniform over n endpoints, the
// share of one in N picks would be binomial with p = 1/n and standard
// deviation σ = √(N·p·(1−p)). Round-robin is exact, and the load-aware ones
// lean away from whoever was picked last, so all of them vary less than that.
// 6σ is exceeded by a correct random strategy with probability 2·10⁻⁹ an
// endpoint; at N = 60,000 it still catches a share that is 5 % off at n = 10
// (6σ = 441 of 6,000 is 7 %, of n = 3: 693 of 20,000 is 3.5 %).
func TestDistribution(t *testing.T) {
	const picks = 60_000
	for _, kind := range Strategies {
		for _, n := range []int{1, 2, 3, 10} {
			t.Run(fmt.Sprintf("%s/%d", kind.Name, n), func(t *testing.T) {
				p := 1 / float64(n)
				bound := 6 * math.Sqrt(picks*p*(1-p))
				for i, got := range spread(kind.New(), testEndpoints(n), picks) {
					if off := math.Abs(float64(got) - picks*p); off > bound {
						t.Errorf("endpoint %d got %d of %d, off by %.0f, bound %.0f", i, got, picks, off, bound)
					}
				}
			})
		}
	}
}

// spread sends picks requests one after the other, 1 ms each, and counts.
func spread(s Strategy, endpoints []Endpoint, picks int) []int {
	rng := rand.New(rand.NewPCG(1, 2))
	counts := make([]int, len(endpoints))
	now := epoch
	for range picks {
		i := s.Pick(now, rng, endpoints, Request{})
		counts[i]++
		s.Observe(Event{Kind: Sent, ID: endpoints[i].ID, At: now})
		now = now.Add(time.Millisecond)
		s.Observe(Event{Kind: Done, ID: endpoints[i].ID, At: now, Took: time.Millisecond})
	}
	return counts
}

// Every strategy leaves the unhealthy alone while it can find another.
func TestHealthyFirst(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			endpoints := testEndpoints(3)
			endpoints[1].Healthy = false
			// With one of three ill no pair is without a healthy one, so p2c
			// never has to give up.
			if counts := spread(kind.New(), endpoints, 3000); counts[1] != 0 {
				t.Errorf("the unhealthy one got %d", counts[1])
			}
			for i := range endpoints {
				endpoints[i].Healthy = false
			}
			for i, got := range spread(kind.New(), endpoints, 3000) {
				if got == 0 {
					t.Errorf("endpoint %d got nothing although all are equally ill", i)
				}
			}
		})
	}
}

// Whatever happens, a pick is a valid index, and the same history and seed
// give the same pick.
func TestPickIsValidAndRepeatable(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, rapid.MakeCheck(func(t *rapid.T) {
			a, b := kind.New(), kind.New()
			seed := rapid.Uint64().Draw(t, "seed")
			rngA, rngB := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
			now := epoch
			for range rapid.IntRange(1, 50).Draw(t, "steps") {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
				endpoints := testEndpoints(rapid.IntRange(1, 6).Draw(t, "n"))
				for i := range endpoints {
					endpoints[i].Healthy = rapid.Bool().Draw(t, "healthy")
				}
				i := a.Pick(now, rngA, endpoints, Request{})
				if i < 0 || i >= len(endpoints) {
					t.Fatalf("picked %d of %d", i, len(endpoints))
				}
				if j := b.Pick(now, rngB, endpoints, Request{}); i != j {
					t.Fatalf("picked %d and %d", i, j)
				}
				e := Event{
					Kind: EventKind(rapid.IntRange(int(Sent), int(Gone)).Draw(t, "kind")),
					ID:   endpoints[i].ID, At: now, Took: time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "took")),
				}
				a.Observe(e)
				b.Observe(e)
			}
		}))
	}
}

func TestNewRefusesUnknownNames(t *testing.T) {
	if _, err := New("magic"); err == nil {
		t.Error("no error for a strategy that does not exist")
	}
	if _, err := NewBudget("endless", BudgetConfig{}); err == nil {
		t.Error("no error for a budget that does not exist")
	}
}
