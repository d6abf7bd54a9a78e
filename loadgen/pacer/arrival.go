package pacer

import (
	"fmt"
	"math"
	"time"
)

const (
	// never is the arrival that does not come, where the rate is 0 for ever.
	never = time.Duration(math.MaxInt64)
	// perSMax is the highest rate. It is some ten times what a generator sends
	// over loopback; far above it, gaps would be rounded to nothing.
	perSMax = 10_000_000
)

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
		switch {
		case !(r >= 0) || math.IsInf(r, 0):
			return fmt.Errorf("%s: %v per second is not a rate", pacer, r)
		case r > perSMax:
			return fmt.Errorf("%s: %v per second is more than can be sent; the most is %d", pacer, r, perSMax)
		}
		sum += r
	}
	if sum == 0 {
		return fmt.Errorf("%s: the rate must be above 0 per second", pacer)
	}
	return nil
}
