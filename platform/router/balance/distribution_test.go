package balance

import (
	"fmt"
	"math"
	"testing"
)

// Every strategy spreads equal requests over equal endpoints.
//
// The bound: were each pick independent and uniform over n endpoints, the
// share of one in N picks would be binomial with p = 1/n and standard
// deviation σ = √(N·p·(1−p)). Round-robin is exact, and the load-aware ones
// lean away from whoever was picked last, so all of them vary less than that.
// 6σ is exceeded by a correct random strategy with probability 2·10⁻⁹ an
// endpoint; at N = 60,000 it still catches a share that is 5 % off at n = 10
// (6σ = 441 of 6,000 is 7 %, of n = 3: 693 of 20,000 is 3.5 %).
//
// Requests without a key go to random places of a table, so the strategies
// that hash are held to the same, plus what the table itself is off:
//
//   - maglev's slots are equal to one: N/65,537, that is 1.
//   - the arcs of a ring are nearly exponential; an endpoint's share is the
//     sum of k of them, whose mean is k times one's and whose deviation √k
//     times, so that shares deviate by 1/√k: 6·N·p/√k. With n = 10, k = 256,
//     that is 2,250 of 6,000: a ring is no way to spread load evenly, and
//     bounded load is what makes up for it.
func TestDistribution(t *testing.T) {
	const picks = 60_000
	for _, kind := range Strategies {
		for _, n := range []int{1, 2, 3, 10} {
			t.Run(fmt.Sprintf("%s/%d", kind.Name, n), func(t *testing.T) {
				if kind.Traits.Partial && n > subsetSmall {
					t.Skip("equal only over many callers: TestDistributionOverCallers")
				}
				p := 1 / float64(n)
				bound := 6*math.Sqrt(picks*p*(1-p)) + tableError(kind.Name, n)*picks*p
				c := newTestCaller(kind, 1, testEndpoints(n))
				counts := c.spread(picks)
				for _, e := range c.endpoints {
					if off := math.Abs(float64(counts[e.ID]) - picks*p); off > bound {
						t.Errorf("%s got %d of %d, off by %.0f, bound %.0f", e.ID, counts[e.ID], picks, off, bound)
					}
				}
			})
		}
	}
}

// tableError is how much the share of an endpoint may be off in the table, as
// a part of the share.
func tableError(strategy string, n int) float64 {
	switch {
	case n == 1:
		return 0
	case strategy == "ring-hash":
		return 6 / math.Sqrt(math.Exp2(math.Floor(math.Log2(ringMax/float64(n)))))
	case strategy == "maglev":
		return float64(n) / maglevSize
	}
	return 0
}

// A strategy that gives a caller some of the endpoints spreads equally over
// many callers.
//
// The bound: each of C callers uses a given endpoint with probability k/n, and
// then sends it about m/k of its m requests; so the number an endpoint gets
// has a deviation of (m/k)·√(C·(k/n)·(1−k/n)) from who chose it, and one of at
// most √(C·m/n) from how they drew. An aperture whose callers know their
// places has none of the first.
func TestDistributionOverCallers(t *testing.T) {
	const n, callers, requests = 100, 1000, 60
	for _, kind := range Strategies {
		if !kind.Traits.Partial {
			continue
		}
		for _, placed := range []bool{false, true} {
			if _, ok := kind.New().(Placed); placed && !ok {
				continue
			}
			t.Run(fmt.Sprintf("%s/placed=%v", kind.Name, placed), func(t *testing.T) {
				k := map[string]float64{"subset": subsetDefault, "subset-5": subsetSmall, "aperture": apertureMin}[kind.Name]
				counts := map[string]int{}
				for i := range callers {
					c := newTestCaller(kind, uint64(i), testEndpoints(n))
					if placed {
						c.strategy.(Placed).Place(i, callers)
					}
					used := 0
					for id, got := range c.spread(requests) {
						counts[id] += got
						used++
					}
					// An arc has two endpoints that are only partly in it.
					if float64(used) > k+1 {
						t.Fatalf("caller %d uses %d endpoints of %d", i, used, n)
					}
				}
				chose := requests / k * math.Sqrt(callers*(k/n)*(1-k/n))
				if placed {
					chose = 0
				}
				bound := 6 * math.Hypot(chose, math.Sqrt(callers*requests/n))
				for _, e := range testEndpoints(n) {
					if off := math.Abs(float64(counts[e.ID]) - callers*requests/n); off > bound {
						t.Errorf("%s got %d, off by %.0f, bound %.0f", e.ID, counts[e.ID], off, bound)
					}
				}
			})
		}
	}
}

// Every strategy gives an endpoint of a quarter of the weight about a quarter
// of what the others get, and follows when that changes. One that draws has
// the binomial deviation, 6σ = 6·√(24,000·0.08) = 263 of 1,846; the rest of
// the allowance, ⅛ to ½, is for those where weight is one of several reasons.
func TestWeights(t *testing.T) {
	const picks, light = 24_000, 3
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			n := 4
			c := newTestCaller(kind, 1, testEndpoints(n))
			c.endpoints[light].Weight = 0.25
			c.spread(2000)
			check := func(low, high float64) {
				t.Helper()
				counts := c.spread(picks)
				got := float64(counts[c.endpoints[light].ID])
				if mean := (picks - got) / float64(n-1); got < low*mean || got > high*mean {
					t.Errorf("got %.0f where the others got %.0f, want %v to %v of it", got, mean, low, high)
				}
			}
			check(0.125, 0.5)
			c.endpoints[light].Weight = 1
			c.spread(2000)
			check(0.75, 1.25)
		})
	}
}
