package pacer

import (
	"fmt"
	"time"
)

// Step is a Poisson process whose rate changes once, at At.
//
//	rate       ________ to
//	from _____|
//	          at
type Step struct {
	FromPerS, ToPerS float64
	At               time.Duration
}

// Rate is the rate before or after the step.
func (s Step) Rate(at time.Duration) float64 {
	if at < s.At {
		return s.FromPerS
	}
	return s.ToPerS
}

// Next uses an exponential draw up at the rate before the step, and the rest of
// it at the rate after.
func (s Step) Next(prev time.Duration, unit func() float64) time.Duration {
	e := unit()
	if prev < s.At {
		toEnd := float64(s.FromPerS * (s.At - prev).Seconds())
		if e < toEnd {
			return after(prev, e/s.FromPerS)
		}
		e, prev = e-toEnd, s.At
	}
	if s.ToPerS <= 0 {
		return never
	}
	return after(prev, e/s.ToPerS)
}

// Expected is the area under the rate up to at.
func (s Step) Expected(at time.Duration) float64 {
	before := min(at, s.At)
	return s.FromPerS*before.Seconds() + s.ToPerS*(at-before).Seconds()
}

// Validate refuses what is not a step.
func (s Step) Validate() error {
	if s.At < 0 {
		return fmt.Errorf("step: it cannot come at %v, before the start", s.At)
	}
	return checkRates("step", s.FromPerS, s.ToPerS)
}

// String is what Parse reads.
func (s Step) String() string {
	return fmt.Sprintf("step:%s..%s@%v", number(s.FromPerS), number(s.ToPerS), s.At)
}
