package capacity

import "breakbank/bench/stats"

// End is what ended a search.
type End string

// Ends.
const (
	// Found: the target's capacity lies in an interval.
	Found End = "found"
	// ByMax: the highest rate that was to be tried still meets the objective.
	ByMax End = "max_rate"
	// ByGenerator: above the highest rate that meets it, the generator could not
	// keep to its schedule.
	ByGenerator End = "generator"
	// Nothing: not even the lowest rate meets it.
	Nothing End = "nothing"
	// Stopped: it was ended from outside before it had found anything.
	Stopped End = "stopped"
)

// Finding is what a search came to.
type Finding struct {
	End End
	// Capacity is the estimate with its 95 % interval, if Found. A search that
	// was stopped while it confirmed has one too.
	Capacity *stats.Estimate
	// AtLeastPerS is the highest rate that met the objective, BelowPerS the lowest
	// that did not, for the ends without an estimate; 0 where there is none.
	AtLeastPerS, BelowPerS float64
}

// estimate is what the belief says by now.
func (s *Search) estimate() stats.Estimate {
	const tail = (1 - stats.Confidence) / 2
	q := s.belief.quantiles(tail, 0.5, 1-tail)
	return stats.Estimate{Value: q[1], Low: q[0], High: q[2]}
}

// Finding is what the probes so far have come to.
func (s *Search) Finding() Finding {
	f := Finding{End: Stopped, AtLeastPerS: s.met, BelowPerS: s.over}
	switch {
	case s.belief != nil && s.unsaid > s.confirmed:
		f.End = ByGenerator
	case s.belief != nil:
		e := s.estimate()
		f = Finding{End: Stopped, Capacity: &e}
		if s.done {
			f.End = Found
		}
	case !s.done:
	case s.met == 0 && s.limit == Invalid:
		f.End = ByGenerator
	case s.met == 0:
		f.End = Nothing
	case s.over == 0:
		f.End = ByMax
	default:
		f.End = ByGenerator
	}
	return f
}
