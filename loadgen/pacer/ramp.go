package pacer

import (
	"fmt"
	"math"
	"time"
)

// Ramp is a Poisson process whose rate goes from FromPerS to ToPerS in a
// straight line over Over, and stays there.
//
//	rate          ________ to
//	         ____/
//	    ____/
//	from            over
type Ramp struct {
	FromPerS, ToPerS float64
	Over             time.Duration
}

// Rate is the rate on the line.
func (r Ramp) Rate(at time.Duration) float64 {
	if at >= r.Over {
		return r.ToPerS
	}
	return r.FromPerS + float64((r.ToPerS-r.FromPerS)*(at.Seconds()/r.Over.Seconds()))
}

// Next inverts the expected number of arrivals. With slope a and the rate λ at
// prev, the next arrival comes after the x that solves
//
//	λ x + a x²/2 = e,  e exponential of mean 1
//	x = 2e / (λ + √(λ² + 2 a e))
//
// written so that a → 0 needs no case of its own. What of e is left at the end
// of the ramp is used up at the final rate.
func (r Ramp) Next(prev time.Duration, unit func() float64) time.Duration {
	e := unit()
	if prev < r.Over {
		rate, left := r.Rate(prev), (r.Over - prev).Seconds()
		slope := (r.ToPerS - r.FromPerS) / r.Over.Seconds()
		toEnd := float64((rate + r.ToPerS) / 2 * left)
		if e < toEnd {
			return after(prev, 2*e/(rate+math.Sqrt(float64(rate*rate)+float64(2*slope*e))))
		}
		e, prev = e-toEnd, r.Over
	}
	if r.ToPerS <= 0 {
		return never
	}
	return after(prev, e/r.ToPerS)
}

// Expected is the area under the line up to at.
func (r Ramp) Expected(at time.Duration) float64 {
	on := min(at, r.Over)
	return (r.FromPerS+r.Rate(on))/2*on.Seconds() + r.ToPerS*(at-on).Seconds()
}

// Validate refuses what is not a ramp.
func (r Ramp) Validate() error {
	if r.Over <= 0 {
		return fmt.Errorf("ramp: it must take longer than %v", r.Over)
	}
	return checkRates("ramp", r.FromPerS, r.ToPerS)
}

// String is what Parse reads.
func (r Ramp) String() string {
	return fmt.Sprintf("ramp:%s..%s/%v", number(r.FromPerS), number(r.ToPerS), r.Over)
}
