package capacity

import (
	"math"
	"math/rand/v2"
)

// target is a simulated one whose capacity is known: in each probe it can carry a
// rate drawn around it, log-normal, so that at the capacity half of all probes
// meet the objective. Above generatorPerS nothing can be told.
type target struct {
	perS, noise   float64
	generatorPerS float64
	accidents     float64 // share of probes that miss for no reason
	rng           *rand.Rand
}

func newTarget(perS, noise float64, seed uint64) *target {
	return &target{perS: perS, noise: noise, generatorPerS: math.Inf(1), rng: rand.New(rand.NewPCG(seed, 7))}
}

func (t *target) probe(perS float64) Outcome {
	carries := t.perS * math.Exp(t.noise*t.rng.NormFloat64())
	accident := t.rng.Float64() < t.accidents
	switch {
	case perS > t.generatorPerS:
		return Invalid
	case perS > carries || accident:
		return Missed
	}
	return Met
}

// run searches it to the end.
func (t *target) run(s *Search) Finding {
	for _, perS, more := s.Next(); more; _, perS, more = s.Next() {
		s.Tell(t.probe(perS))
	}
	return s.Finding()
}
