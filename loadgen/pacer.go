package loadgen

import "time"

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
