package evidence

import (
	"time"

	"breakbank/loadgen"
)

// Law is a pacer whose arrivals are a Poisson process, if one of a rate that
// changes.
type Law interface {
	// Expected is how many arrivals come before a time, on average: the integral
	// of Rate.
	Expected(at time.Duration) float64
}

// scheduleGapsMin is from how many gaps on the test's P is good (Stephens 1970).
const scheduleGapsMin = 5

// ScheduleKS tests whether the arrivals of a schedule follow the law of their
// pacer. tested is false for a pacer that has no Law, such as a metronome, and
// for fewer arrivals than can be tested.
//
// A rate that changes is dealt with by time rescaling: if arrivals t_i are a
// Poisson process of rate λ(t), then Λ(t_i), with Λ the integral of λ, are one
// of rate 1, and their gaps are exponential of mean 1 (Brown et al. 2002, "The
// time-rescaling theorem and its application to neural spike train data
// analysis").
func ScheduleKS(s *loadgen.Schedule, p loadgen.Pacer) (ks KS, tested bool) {
	law, ok := p.(Law)
	if !ok {
		return KS{P: 1}, false
	}
	gaps := rescaledGaps(s, law)
	if len(gaps) < scheduleGapsMin {
		return KS{P: 1}, false
	}
	return unitGaps(gaps), true
}

// rescaledGaps are the gaps between the arrivals that the pacer made, without
// those to which others have led; of more than pairsMax, every k-th.
func rescaledGaps(s *loadgen.Schedule, law Law) (gaps []float64) {
	stride, paced := strideOf(len(s.Arrivals)), 0
	var last time.Duration
	for i := range s.Arrivals {
		a := &s.Arrivals[i]
		if a.Follows {
			continue
		}
		if paced > 0 && paced%stride == 0 {
			gaps = append(gaps, law.Expected(a.At)-law.Expected(last))
		}
		last = a.At
		paced++
	}
	return gaps
}
