package pacer

import (
	"fmt"
	"math"
	"time"

	"breakbank/loadgen/draw"
)

// Sine is a Poisson process whose rate swings about MeanPerS by SwingPerS, once
// a Period, upwards first.
//
//	rate   .-.         .-.        mean + swing
//	      /   \       /   \
//	     /     \     /     \      mean
//	            \   /       \   /
//	             '-'         '-'  mean - swing
//	     period------
type Sine struct {
	MeanPerS, SwingPerS float64
	Period              time.Duration
}

// Rate is the rate on the curve.
func (s Sine) Rate(at time.Duration) float64 {
	swing := float64(s.SwingPerS * sinTurn(float64(at%s.Period)/float64(s.Period)))
	return max(0, s.MeanPerS+swing)
}

// Next thins a Poisson process of the highest rate: of its arrivals each is kept
// with the probability rate / highest (Lewis and Shedler 1979, "Simulation of
// nonhomogeneous Poisson processes by thinning"). An exponential draw exceeds
// ln(highest / rate) with just that probability.
func (s Sine) Next(prev time.Duration, unit func() float64) time.Duration {
	highest := s.MeanPerS + s.SwingPerS
	for {
		prev = after(prev, unit()/highest)
		if prev == never {
			return never
		}
		if rate := s.Rate(prev); rate > 0 && unit() >= draw.Ln(highest/rate) {
			return prev
		}
	}
}

// Expected is the area under the curve up to at.
func (s Sine) Expected(at time.Duration) float64 {
	turn := 2 * math.Pi * float64(at%s.Period) / float64(s.Period)
	return s.MeanPerS*at.Seconds() + s.SwingPerS*s.Period.Seconds()/(2*math.Pi)*(1-math.Cos(turn))
}

// Validate refuses what is not a sine.
func (s Sine) Validate() error {
	if err := checkRates("sine", s.MeanPerS, s.SwingPerS); err != nil {
		return err
	}
	switch {
	case s.Period <= 0:
		return fmt.Errorf("sine: a period of %v is none", s.Period)
	case s.SwingPerS > s.MeanPerS:
		return fmt.Errorf("sine: a swing of %v about %v per second goes below 0", s.SwingPerS, s.MeanPerS)
	case s.MeanPerS+s.SwingPerS > perSMax:
		return fmt.Errorf("sine: %v per second is more than can be sent; the most is %d", s.MeanPerS+s.SwingPerS, perSMax)
	}
	return nil
}

// String is what Parse reads.
func (s Sine) String() string {
	return fmt.Sprintf("sine:%s+-%s/%v", number(s.MeanPerS), number(s.SwingPerS), s.Period)
}

// sinTurn is the sine of a part of a turn, 0 to 1. It is written out for the same
// reason as draw.Ln: math.Sin may differ in the last bit from one processor to
// another. The part is folded into the first quarter, where Taylor's series up
// to x^23 is exact to the last bit or two.
func sinTurn(u float64) float64 {
	sign := 1.0
	if u >= 0.5 {
		sign, u = -1, u-0.5
	}
	if u > 0.25 {
		u = 0.5 - u
	}
	x := float64(2 * math.Pi * u)
	square, sum := float64(x*x), 1.0
	for k := 22; k >= 2; k -= 2 {
		sum = 1 - float64(square/float64(k*(k+1))*sum)
	}
	return sign * float64(x*sum)
}
