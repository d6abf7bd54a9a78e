package pacer

import (
	"math"
	"time"
)

// Constant is a metronome.
//
//	|  |  |  |  |  |  |  |  |  |  |
type Constant struct{ PerS float64 }

// Rate is PerS.
func (c Constant) Rate(time.Duration) float64 { return c.PerS }

// Next is the next beat. Beats are counted from the start, not from each other,
// so that rounding one to nanoseconds does not move all that come after it.
func (c Constant) Next(prev time.Duration, _ func() float64) time.Duration {
	beat := math.Round(float64(prev.Seconds()*c.PerS)) + 1
	return after(0, beat/c.PerS)
}

// Validate refuses what is not a constant.
func (c Constant) Validate() error { return checkRates("constant", c.PerS) }

// String is what Parse reads.
func (c Constant) String() string { return "constant:" + number(c.PerS) }
