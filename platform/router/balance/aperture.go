package balance

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// apertureMin is how many endpoints a caller uses at least (Finagle,
// minDeterministicAperture = 12; two would do for p2c, but so few are all
// unhealthy too often).
const apertureMin = 12

// apertureWeightsEvery is how often arcs are measured anew. (Ours.)
const apertureWeightsEvery = time.Second

// aperture is Finagle's deterministic aperture. Endpoints and callers are laid
// on two rings of circumference 1, and a caller uses what lies opposite its
// own arc:
//
//	endpoints  |──a──|──b──|──c──|──d──|──e──|──f──|
//	callers    |────0───|────1───|────2───|────3───|
//
//	width = N × 1/callers,  the least N such that width ≥ 12/endpoints
//
// Every place of the endpoints' ring is then under equally many callers, so
// that all get the same load, where subsets drawn at random get it unequally;
// an endpoint that is only partly opposite is drawn in that proportion. Within
// the arc it is p2c-ewma. Weight is the length of an endpoint's arc.
//
// Callers must be told their places (Place); one that is not draws a place,
// and then the even load is only probable.
//
// While nothing healthy is found in its arc, a caller draws from the whole
// ring. (Ours; Finagle widens with load.)
type aperture struct {
	load    Metric
	ranking ranking
	ends    []float64 // where the arc of each of ranking.present ends
	due     time.Time // when arcs are measured again

	offset float64 // where this caller's arc begins, in [0, 1)
	unit   float64 // 1/callers, 0 when unknown
	placed bool
}

// apertureSeed seeds the hash that orders the ring, the same for all callers.
// An order by address would put a zone's endpoints next to each other.
const apertureSeed = 0x61706572747572

func newAperture() *aperture { return &aperture{load: newPeakEWMA(ewmaDecay)} }

// Place implements Placed.
func (a *aperture) Place(index, peers int) {
	a.unit = 1 / float64(peers)
	a.offset, a.placed = float64(index)*a.unit, true
}

func (a *aperture) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	if !a.placed {
		a.offset, a.placed = rng.Float64(), true
	}
	if a.ranking.align(apertureSeed, endpoints) || !now.Before(a.due) {
		a.measure(now, endpoints)
	}
	width := a.width(len(endpoints))
	picked := 0
	for _, w := range [...]float64{width, 1} {
		for range p2cMaxEffort {
			first, second := a.pair(rng, w)
			picked = lessLoaded(now, endpoints, a.load, first, second)
			if endpoints[picked].Healthy {
				return picked
			}
		}
	}
	return picked
}

// width of the arc over n endpoints.
func (a *aperture) width(n int) float64 {
	least := float64(apertureMin) / float64(n)
	if a.unit > 0 {
		least = math.Ceil(least/a.unit) * a.unit
	}
	return min(1, least)
}

// pair draws two endpoints of the arc, the second -1 if it was always the
// same as the first.
func (a *aperture) pair(rng *rand.Rand, width float64) (first, second int) {
	first = a.opposite(a.offset + rng.Float64()*width)
	for range lotteryTries {
		if second = a.opposite(a.offset + rng.Float64()*width); second != first {
			return first, second
		}
	}
	return first, -1
}

// opposite returns whose arc a place of the ring is in.
func (a *aperture) opposite(place float64) int {
	_, place = math.Modf(place)
	place *= a.ends[len(a.ends)-1]
	i := sort.Search(len(a.ends), func(i int) bool { return a.ends[i] > place })
	return a.ranking.present[min(i, len(a.ends)-1)]
}

// measure lays out the ring.
func (a *aperture) measure(now time.Time, endpoints []Endpoint) {
	a.due = now.Add(apertureWeightsEvery)
	a.ends = a.ends[:0]
	end := 0.0
	for _, i := range a.ranking.present {
		end += endpoints[i].weight()
		a.ends = append(a.ends, end)
	}
}

func (a *aperture) Observe(e Event) {
	if e.Kind == Gone {
		a.ranking.members.forget(e.ID)
	}
	a.load.Observe(e)
}
