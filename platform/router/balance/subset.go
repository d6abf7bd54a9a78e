package balance

import (
	"math/rand/v2"
	"time"
)

// Sizes of the subset. gRFC A68 leaves the size to the user and shows 5 in its
// measurements; 12 is what Finagle found to leave an aperture without a healthy
// endpoint rarely enough (minDeterministicAperture).
const (
	subsetSmall   = 5
	subsetDefault = 12
)

// subset balances over a few endpoints that are this caller's own, so that a
// thousand callers of a thousand instances need not keep a million
// connections (gRFC A68). Each caller sorts the endpoints by a hash with a seed
// of its own and takes the first k, rendezvous hashing: one that joins or
// leaves changes at most one of the k. Within them it is p2c-ewma.
//
// Where A68 stops, and ours goes on: while less than k/2 of the first k are
// healthy, as many of the next in the same order join as it takes.
type subset struct {
	size    int
	p2c     powerOfTwo
	load    Metric
	ranking ranking
	seed    uint64
	seeded  bool
}

func newSubset(k int) *subset { return &subset{size: k, load: newPeakEWMA(ewmaDecay)} }

func (s *subset) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	if !s.seeded {
		s.seed, s.seeded = rng.Uint64(), true
	}
	s.ranking.align(s.seed, endpoints)
	return s.p2c.pickAmong(now, rng, endpoints, s.own(endpoints), s.load)
}

// own is who serves this caller now.
func (s *subset) own(endpoints []Endpoint) []int {
	healthy := 0
	for k, i := range s.ranking.present {
		if endpoints[i].Healthy {
			healthy++
		}
		if k+1 >= s.size && 2*healthy >= s.size {
			return s.ranking.present[:k+1]
		}
	}
	if healthy > 0 {
		return s.ranking.present
	}
	return s.ranking.present[:min(s.size, len(s.ranking.present))]
}

func (s *subset) Observe(e Event) {
	if e.Kind == Gone {
		s.ranking.members.forget(e.ID)
	}
	s.load.Observe(e)
}
