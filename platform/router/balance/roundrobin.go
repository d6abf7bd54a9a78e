package balance

import (
	"math/rand/v2"
	"time"
)

// roundRobin takes the healthy in turn, or all in turn when none is healthy.
// It starts at a random place: several hundred routers that start together
// must not all begin with the first instance of the list.
type roundRobin struct {
	next    int
	started bool
}

func (r *roundRobin) Pick(_ time.Time, rng *rand.Rand, endpoints []Endpoint, _ Metric) int {
	if !r.started {
		r.next, r.started = rng.IntN(len(endpoints)), true
	}
	for range endpoints {
		i := r.next % len(endpoints)
		r.next = i + 1
		if endpoints[i].Healthy {
			return i
		}
	}
	i := r.next % len(endpoints)
	r.next = i + 1
	return i
}
