package evidence

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
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
//
//	D = max over i of  max( i/n - F(x_i), F(x_i) - (i-1)/n ),  F(x) = 1 - e^(-rate x)
func ExponentialGaps(timesNs []int64, perS float64) KS {
	if len(timesNs) < 2 {
		return KS{P: 1}
	}
	gaps := gapsOf(timesNs, 1)
	slices.Sort(gaps)
	n, d := float64(len(gaps)), 0.0
	for i, gap := range gaps {
		f := -math.Expm1(-perS * gap / 1e9)
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

// Stray says how far sent times strayed from the schedule.
type Stray struct {
	Samples int
	// D is the two-sample Kolmogorov–Smirnov distance between when requests
	// were due and when they were sent, as shares of the load: at no moment was
	// more than this share of it behind. A generator that stood still for s
	// seconds of a steady load of t has D ≈ s/t.
	D float64
	// GapD is the same distance between the drawn and the sent inter-arrival
	// times, over gaps of Group arrivals.
	GapD  float64
	Group int
}

// strayGapNs is how long the compared gaps should be. Two requests due within
// the grain of a wake-up (0.1 ms here, up to 1 ms elsewhere) leave together on
// any machine: single gaps at 1000 a second would show that and nothing else.
//
// A sum of k exponential gaps that make T is near normal with deviation T/√k,
// so its density is at most √k/(T √(2π)). Sent times that all lie on a grid of g
// turn that into steps, and a step's half is the distance:
//
//	GapD ≈ g √k / (2 T √(2π)),  and with k = rate·T:  g √rate / (5 √T)
//
// At T = 100 ms and g = 1 ms that is 0.02 at 1000 a second, and stays below the
// limit of 0.05 up to 6000.
const strayGapNs = 100e6

// StrayOf compares the times at which requests were due with those at which
// they were sent, pairwise and in the order of the schedule, in nanoseconds.
func StrayOf(intendedNs, sentNs []int64) Stray {
	n := min(len(intendedNs), len(sentNs))
	if n < 2 {
		return Stray{Samples: n}
	}
	s := Stray{Samples: n, D: distance(floats(intendedNs[:n]), floats(sentNs[:n])), Group: 1}
	if span := float64(intendedNs[n-1] - intendedNs[0]); span > 0 {
		s.Group = max(1, int(math.Ceil(strayGapNs*float64(n-1)/span)))
	}
	if s.Group < n {
		s.GapD = distance(gapsOf(intendedNs[:n], s.Group), gapsOf(sentNs[:n], s.Group))
	}
	return s
}

// distance is the two-sample Kolmogorov–Smirnov distance.
func distance(a, b []float64) float64 {
	slices.Sort(a)
	slices.Sort(b)
	return stat.KolmogorovSmirnov(a, nil, b, nil)
}

// gapsOf are the gaps from each arrival to the one group later. They overlap,
// which a distance does not mind; the test of a law takes groups of one.
func gapsOf(timesNs []int64, group int) []float64 {
	gaps := make([]float64, 0, len(timesNs))
	for i := group; i < len(timesNs); i++ {
		gaps = append(gaps, float64(timesNs[i]-timesNs[i-group]))
	}
	return gaps
}

func floats(v []int64) []float64 {
	f := make([]float64, len(v))
	for i := range v {
		f[i] = float64(v[i])
	}
	return f
}
