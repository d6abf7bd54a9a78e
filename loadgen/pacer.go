package loadgen

import (
	"fmt"
	"math"
	"time"
)

// Pacer says when journeys arrive. Implementations are values without state:
// the randomness is handed in.
type Pacer interface {
	// Rate is the expected arrivals per second at a time since the start.
	Rate(at time.Duration) float64
	// Next is the arrival after the one at prev. unit draws from the
	// exponential law of mean 1; pacers of even spacing leave it alone. Times
	// are rounded to nanoseconds, and no product is fused with a sum (hence the
	// conversions to float64), so that they are the same on every machine.
	Next(prev time.Duration, unit func() float64) time.Duration
}

// Validator is for pacers that can be asked for the impossible: Draw asks first.
type Validator interface{ Validate() error }

// never is the arrival that does not come, where the rate is 0 for ever.
const never = time.Duration(math.MaxInt64)

// Poisson is customers who know nothing of each other: gaps are exponential,
// P(gap > t) = e^(-rate t).
//
//	|  || |    |  |||  |     | ||   |
type Poisson struct{ PerS float64 }

// Rate is PerS.
func (p Poisson) Rate(time.Duration) float64 { return p.PerS }

// Next draws an exponential gap.
func (p Poisson) Next(prev time.Duration, unit func() float64) time.Duration {
	return after(prev, unit()/p.PerS)
}

// Validate refuses what is not a poisson.
func (p Poisson) Validate() error { return checkRates("poisson", p.PerS) }

// Constant is a metronome.
//
//	|  |  |  |  |  |  |  |  |  |  |
type Constant struct{ PerS float64 }

// Rate is PerS.
func (c Constant) Rate(time.Duration) float64 { return c.PerS }

// Next is one period later.
func (c Constant) Next(prev time.Duration, _ func() float64) time.Duration {
	return after(prev, 1/c.PerS)
}

// Validate refuses what is not a constant.
func (c Constant) Validate() error { return checkRates("constant", c.PerS) }

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

// Validate refuses what is not a ramp.
func (r Ramp) Validate() error {
	if r.Over <= 0 {
		return fmt.Errorf("ramp: it must take longer than %v", r.Over)
	}
	return checkRates("ramp", r.FromPerS, r.ToPerS)
}

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

// Validate refuses what is not a step.
func (s Step) Validate() error { return checkRates("step", s.FromPerS, s.ToPerS) }

// Burst is a Poisson process at BasePerS that jumps to PeakPerS for the first
// For of each Every.
//
//	rate  __      __      __  peak
//	     |  |____|  |____|  | base
//	      for
//	      every---
type Burst struct {
	BasePerS, PeakPerS float64
	Every, For         time.Duration
}

// Rate is the rate of the part of the period that at lies in.
func (b Burst) Rate(at time.Duration) float64 {
	if at%b.Every < b.For {
		return b.PeakPerS
	}
	return b.BasePerS
}

// Next uses an exponential draw up part by part.
func (b Burst) Next(prev time.Duration, unit func() float64) time.Duration {
	e := unit()
	for {
		rate, end := b.BasePerS, prev-prev%b.Every+b.Every
		if prev%b.Every < b.For {
			rate, end = b.PeakPerS, end-b.Every+b.For
		}
		toEnd := float64(rate * (end - prev).Seconds())
		if e < toEnd {
			return after(prev, e/rate)
		}
		e, prev = e-toEnd, end
	}
}

// Validate refuses what is not a burst.
func (b Burst) Validate() error {
	if b.For <= 0 || b.For >= b.Every {
		return fmt.Errorf("burst: %v of every %v is not a burst", b.For, b.Every)
	}
	return checkRates("burst", b.BasePerS, b.PeakPerS)
}

// after is prev plus some seconds, rounded to nanoseconds.
func after(prev time.Duration, s float64) time.Duration {
	ns := math.Round(s * float64(time.Second))
	if ns >= float64(never-prev) {
		return never
	}
	return prev + time.Duration(ns)
}

// checkRates refuses rates from which Next could not be computed.
func checkRates(pacer string, rates ...float64) error {
	sum := 0.0
	for _, r := range rates {
		if !(r >= 0) || math.IsInf(r, 0) {
			return fmt.Errorf("%s: %v per second is not a rate", pacer, r)
		}
		sum += r
	}
	if sum == 0 {
		return fmt.Errorf("%s: the rate must be above 0 per second", pacer)
	}
	return nil
}
