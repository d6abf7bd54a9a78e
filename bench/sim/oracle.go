package sim

import (
	"math/rand/v2"
	"time"

	"breakbank/platform/router/balance"
)

// Oracle names the strategy that is told the truth: one for all routers, so
// that it knows every queue, and told of every instance whether it is well and
// how fast it is. It bounds the others; nobody could run it.
const Oracle = "jsq-oracle"

// unwell is added to the load of an instance that fails or is gone, so that it
// comes after all others.
const unwell = 1e12

// oracle picks as balance's jsq-oracle does that is told everything: the least
// loaded for its capacity, and of equals one by capacity. That one looks at
// every endpoint for every pick, of which thousands of endpoints make minutes;
// this is a tournament, in which a pick and a change cost log n:
//
//	       least 0, weight 2
//	least 0, weight 1      least 0, weight 1
//	0    3                 1    0
//
// A node knows the least load below it, and the weight of those that have it.
type oracle struct {
	places   map[string]int // leaf of each endpoint
	inFlight map[string]int
	leaves   int // a power of two
	nodes    []standing
	speed    []float64 // of leaves
	well     []bool
}

type standing struct{ least, weight float64 }

func newOracle() *oracle { return &oracle{inFlight: map[string]int{}} }

// know takes the endpoints as they are now: their health and weight, which is
// positive, are the truth.
func (o *oracle) know(view []balance.Endpoint) {
	o.places = make(map[string]int, len(view))
	for o.leaves = 1; o.leaves < len(view); o.leaves *= 2 {
	}
	o.nodes = make([]standing, 2*o.leaves)
	for i := range o.nodes {
		o.nodes[i].least = 2 * unwell // nobody
	}
	o.speed, o.well = make([]float64, len(view)), make([]bool, len(view))
	for i, e := range view {
		o.places[e.ID] = i
		o.speed[i], o.well[i] = e.Weight, e.Healthy
		o.update(e.ID)
	}
}

// update lets what is known of an endpoint rise through the tournament.
func (o *oracle) update(id string) {
	place, here := o.places[id]
	if !here {
		return
	}
	s := standing{float64(o.inFlight[id]) / o.speed[place], o.speed[place]}
	if !o.well[place] {
		s.least += unwell
	}
	n := o.leaves + place
	o.nodes[n] = s
	for n /= 2; n >= 1; n /= 2 {
		a, b := o.nodes[2*n], o.nodes[2*n+1]
		switch {
		case a.least < b.least:
			o.nodes[n] = a
		case b.least < a.least:
			o.nodes[n] = b
		default:
			o.nodes[n] = standing{a.least, a.weight + b.weight}
		}
	}
}

// Pick implements balance.Strategy.
func (o *oracle) Pick(_ time.Time, rng *rand.Rand, _ []balance.Endpoint, _ balance.Request) int {
	left := rng.Float64() * o.nodes[1].weight
	n := 1
	for n < o.leaves {
		a, b := o.nodes[2*n], o.nodes[2*n+1]
		switch {
		case a.least < b.least:
			n = 2 * n
		case b.least < a.least:
			n = 2*n + 1
		case left < a.weight:
			n = 2 * n
		default:
			left -= a.weight
			n = 2*n + 1
		}
	}
	return n - o.leaves
}

// Observe implements balance.Strategy. Every event but Sent says how many
// requests the instance holds.
func (o *oracle) Observe(e balance.Event) {
	switch {
	case e.Kind == balance.Gone:
		delete(o.inFlight, e.ID)
		return
	case e.Kind == balance.Sent:
		o.inFlight[e.ID]++
	case e.Load != nil:
		o.inFlight[e.ID] = e.Load.InFlight
	}
	o.update(e.ID)
}
