package balance

import (
	"math/rand/v2"
	"time"
)

// p2cMaxEffort is how often two are drawn before the last draw is taken
// although nothing healthy was found (Finagle, Balancer maxEffort = 5).
const p2cMaxEffort = 5

// powerOfTwo draws two distinct endpoints, prefers the healthy one and, of
// two equally healthy, the one with less load (Mitzenmacher 1996; Finagle
// P2CPick). Two random choices keep the maximum load at O(log log n) without
// the herd that always picking the minimum makes of many routers.
type powerOfTwo struct{}

func (powerOfTwo) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, m Metric) int {
	n := len(endpoints)
	if n == 1 {
		return 0
	}
	picked := 0
	for range p2cMaxEffort {
		a := rng.IntN(n)
		b := rng.IntN(n - 1)
		if b >= a {
			b++
		}
		picked = lessLoaded(now, endpoints, m, a, b)
		if endpoints[picked].Healthy {
			return picked
		}
	}
	return picked
}

func lessLoaded(now time.Time, endpoints []Endpoint, m Metric, a, b int) int {
	if endpoints[a].Healthy != endpoints[b].Healthy {
		if endpoints[a].Healthy {
			return a
		}
		return b
	}
	// On a tie a wins; a was drawn uniformly, so ties favour nobody.
	if m.Load(now, endpoints[b].ID) < m.Load(now, endpoints[a].ID) {
		return b
	}
	return a
}
