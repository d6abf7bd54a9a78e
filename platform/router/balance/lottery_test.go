package balance

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Pairs of the lottery, compared fairly, give every endpoint its share of the
// weight, even of two. The bound is 6σ of a binomial.
func TestLotteryShares(t *testing.T) {
	const draws = 100_000
	for _, weights := range [][]float64{{1, 1}, {1, 0.5}, {0.1, 1}, {0.1, 0.1, 0.1}, {5, 1, 0, -1}, {0.01, 1, 0.5, 0.25, 2}} {
		endpoints := testEndpoints(len(weights))
		total := 0.0
		for i, w := range weights {
			endpoints[i].Weight = w
			total += endpoints[i].weight()
		}
		var l lottery
		rng := rand.New(rand.NewPCG(1, 1))
		ones, pairs := make([]int, len(weights)), make([]int, len(weights))
		for range draws {
			ones[l.one(rng, endpoints)]++
			a, b := l.pair(rng, endpoints, nil)
			if a == b {
				t.Fatalf("%d was drawn twice", a)
			}
			if b >= 0 && rng.IntN(2) == 0 {
				a = b
			}
			pairs[a]++
		}
		for i := range endpoints {
			p := endpoints[i].weight() / total
			bound := 6 * math.Sqrt(draws*p*(1-p))
			if off := math.Abs(float64(ones[i]) - draws*p); off > bound {
				t.Errorf("weights %v: one draw gave %d to %d, want %.0f ± %.0f", weights, ones[i], i, draws*p, bound)
			}
			if off := math.Abs(float64(pairs[i]) - draws*p); off > bound {
				t.Errorf("weights %v: pairs gave %d to %d, want %.0f ± %.0f", weights, pairs[i], i, draws*p, bound)
			}
		}
	}
}

// When the heaviest leaves, the rest are not refused for ever.
func TestLotteryForgetsTheHeaviest(t *testing.T) {
	endpoints := testEndpoints(3)
	endpoints[0].Weight = 1e6
	var l lottery
	rng := rand.New(rand.NewPCG(1, 1))
	l.one(rng, endpoints)
	for range 100 {
		l.one(rng, endpoints[1:])
	}
	if l.max != 1 {
		t.Errorf("the greatest weight is taken to be %v", l.max)
	}
}
