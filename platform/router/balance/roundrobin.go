package balance

import (
	"math/rand/v2"
	"time"
)

// roundRobin takes the healthy in turn, or all in turn when none is healthy.
// One of less weight than the greatest now and then misses its turn, at
// random. It starts at a random place: several hundred routers that start
// together must not all begin with the first instance of the list.
type roundRobin struct {
	next    int
	started bool
	lottery lottery
}

func (r *roundRobin) Pick(_ time.Time, rng *rand.Rand, endpoints []Endpoint, _ Metric) int {
	if !r.started {
		r.next, r.started = rng.IntN(len(endpoints)), true
	}
	missed := -1
	for range lotteryTries * len(endpoints) {
		i := r.turn(endpoints)
		if !endpoints[i].Healthy {
			continue
		}
		if r.lottery.admits(rng, &endpoints[i]) {
			return i
		}
		missed = i
	}
	if missed >= 0 {
		r.lottery = lottery{} // the heaviest has gone
		return missed
	}
	return r.turn(endpoints)
}

func (r *roundRobin) turn(endpoints []Endpoint) int {
	i := r.next % len(endpoints)
	r.next = i + 1
	return i
}
