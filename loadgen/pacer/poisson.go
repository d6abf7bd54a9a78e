package pacer

import "time"

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

// Expected is how many arrivals come before at, on average.
func (p Poisson) Expected(at time.Duration) float64 { return p.PerS * at.Seconds() }

// Validate refuses what is not a poisson.
func (p Poisson) Validate() error { return checkRates("poisson", p.PerS) }

// String is what Parse reads.
func (p Poisson) String() string { return "poisson:" + number(p.PerS) }
