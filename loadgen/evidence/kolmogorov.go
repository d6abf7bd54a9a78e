package evidence

import (
	"math"
	"slices"
)

// KS is the outcome of a Kolmogorov–Smirnov test of one sample against a law.
type KS struct {
	Samples int
	// D is the greatest distance between the sample's distribution function and
	// the law's, 0 to 1.
	D float64
	// P is the probability of a D this great or greater if the law holds.
	P float64
}

// ExponentialGaps tests whether the gaps between arrivals, in nanoseconds and
// in order, follow the exponential law of a Poisson process of a rate. The rate
// is the one asked for, not one fitted to the sample, so the plain test holds
// without Lilliefors' correction.
func ExponentialGaps(timesNs []int64, perS float64) KS {
	var gaps []float64
	for i := 1; i < len(timesNs); i++ {
		gaps = append(gaps, float64(timesNs[i]-timesNs[i-1])/1e9*perS)
	}
	return unitGaps(gaps)
}

// unitGaps tests whether gaps follow the exponential law of mean 1. It sorts
// them.
//
//	D = max over i of  max( i/n - F(x_i), F(x_i) - (i-1)/n ),  F(x) = 1 - e^-x
func unitGaps(gaps []float64) KS {
	if len(gaps) == 0 {
		return KS{P: 1}
	}
	slices.Sort(gaps)
	n, d := float64(len(gaps)), 0.0
	for i, gap := range gaps {
		f := -math.Expm1(-gap)
		d = max(d, float64(i+1)/n-f, f-float64(i)/n)
	}
	return KS{Samples: len(gaps), D: d, P: kolmogorovTail(d, n)}
}

// kolmogorovTail is P(D ≥ d) for n samples, by Kolmogorov's limit
//
//	Q(λ) = 2 Σ_{k≥1} (-1)^(k-1) e^(-2 k² λ²),  λ = (√n + 0.12 + 0.11/√n) d
//
// where the terms added to √n make it good from n = 5 on (Stephens 1970, "Use
// of the Kolmogorov-Smirnov, Cramér-von Mises and related statistics").
func kolmogorovTail(d, n float64) float64 {
	lambda := (math.Sqrt(n) + 0.12 + 0.11/math.Sqrt(n)) * d
	if lambda < 0.2 {
		return 1 // Q(0.2) is 1 - 5e-13, and the series converges slowly there.
	}
	q, sign := 0.0, 1.0
	for k := 1.0; k <= 100; k++ {
		term := math.Exp(-2 * k * k * lambda * lambda)
		q += sign * term
		sign = -sign
		if term < 1e-12 {
			break
		}
	}
	return min(max(2*q, 0), 1)
}
