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
// the herd that always picking the minimum makes of many routers. Endpoints
// are drawn by weight; see lottery.pair.
type powerOfTwo struct {
	lottery lottery
}

func (p *powerOfTwo) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, m Metric) int {
	if len(endpoints) == 1 {
		return 0
	}
	return p.pickAmong(now, rng, endpoints, nil, m)
}

// pickAmong draws among the indices in among only, or all when it is nil.
func (p *powerOfTwo) pickAmong(now time.Time, rng *rand.Rand, endpoints []Endpoint, among []int, m Metric) int {
	picked := 0
	for range p2cMaxEffort {
		a, b := p.lottery.pair(rng, endpoints, among)
		picked = lessLoaded(now, endpoints, m, a, b)
		if endpoints[picked].Healthy {
			return picked
		}
	}
	return picked
}

// lessLoaded returns a or b; b may be -1 for none.
func lessLoaded(now time.Time, endpoints []Endpoint, m Metric, a, b int) int {
	if b < 0 {
		return a
	}
	if endpoints[a].Healthy != endpoints[b].Healthy {
		if endpoints[a].Healthy {
			return a
		}
		return b
	}
	// On a tie a wins; the two are drawn in either order equally often, so
	// ties favour nobody.
	if m.Load(now, &endpoints[b]) < m.Load(now, &endpoints[a]) {
		return b
	}
	return a
}
