package balance

import (
	"math/rand/v2"
	"time"
)

// randomPicker draws uniformly among the healthy, or among all when none is.
type randomPicker struct{}

func (randomPicker) Pick(_ time.Time, rng *rand.Rand, endpoints []Endpoint, _ Metric) int {
	healthy := countHealthy(endpoints)
	if healthy == 0 || healthy == len(endpoints) {
		return rng.IntN(len(endpoints))
	}
	nth := rng.IntN(healthy)
	for i := range endpoints {
		if !endpoints[i].Healthy {
			continue
		}
		if nth == 0 {
			return i
		}
		nth--
	}
	panic("balance: fewer healthy endpoints than were counted")
}

func countHealthy(endpoints []Endpoint) int {
	n := 0
	for i := range endpoints {
		if endpoints[i].Healthy {
			n++
		}
	}
	return n
}
