package balance

import (
	"math/rand/v2"
	"time"
)

// randomPicker draws by weight among the healthy, or among all when none is.
type randomPicker struct {
	lottery lottery
	healthy []int // reused
}

func (r *randomPicker) Pick(_ time.Time, rng *rand.Rand, endpoints []Endpoint, _ Metric) int {
	for range lotteryTries {
		if i := r.lottery.one(rng, endpoints); endpoints[i].Healthy {
			return i
		}
	}
	// Refusing the unhealthy favours nobody, but there are many of them.
	r.healthy = appendHealthy(r.healthy[:0], endpoints)
	if len(r.healthy) == 0 {
		return r.lottery.one(rng, endpoints)
	}
	return r.lottery.oneOf(rng, endpoints, r.healthy)
}

func appendHealthy(to []int, endpoints []Endpoint) []int {
	for i := range endpoints {
		if endpoints[i].Healthy {
			to = append(to, i)
		}
	}
	return to
}
