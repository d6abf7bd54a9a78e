package pacer

import (
	"fmt"
	"time"
)

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

// Expected is the area under the rate up to at.
func (b Burst) Expected(at time.Duration) float64 {
	peak := b.For*(at/b.Every) + min(at%b.Every, b.For)
	return b.PeakPerS*peak.Seconds() + b.BasePerS*(at-peak).Seconds()
}

// Validate refuses what is not a burst.
func (b Burst) Validate() error {
	if b.For <= 0 || b.For >= b.Every {
		return fmt.Errorf("burst: %v of every %v is not a burst", b.For, b.Every)
	}
	return checkRates("burst", b.BasePerS, b.PeakPerS)
}

// String is what Parse reads.
func (b Burst) String() string {
	return fmt.Sprintf("burst:%s..%s/%v/%v", number(b.BasePerS), number(b.PeakPerS), b.For, b.Every)
}
