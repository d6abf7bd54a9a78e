// Package stats turns replicates into figures with intervals. It is pure: the
// same replicates give the same interval.
package stats

import (
	"math/rand/v2"
	"slices"
)

const (
	// resamples of a bootstrap: enough that the ends of a 95 % interval hold
	// still (Efron and Tibshirani 1993 ask for 1000 and more).
	resamples = 1000
	// Confidence of all intervals.
	Confidence = 0.95
)

// Estimate is a figure with its interval.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Bootstrap estimates a statistic of n replicates. It is computed on all of
// them, and for the interval (the percentile method) on resamples of n drawn
// with replacement: what other replicates of the same kind would have said.
// The draw is the same for the same n. With one replicate there is no interval:
// both its ends are the figure.
func Bootstrap(n int, statistic func(replicates []int) float64) Estimate {
	drawn := make([]int, n)
	for i := range drawn {
		drawn[i] = i
	}
	e := Estimate{Value: statistic(drawn)}
	rng := rand.New(rand.NewPCG(resamples, uint64(n)))
	values := make([]float64, resamples)
	for i := range values {
		for k := range drawn {
			drawn[k] = rng.IntN(n)
		}
		values[i] = statistic(drawn)
	}
	slices.Sort(values)
	e.Low = Quantile((1-Confidence)/2, values)
	e.High = Quantile((1+Confidence)/2, values)
	return e
}

// Mean estimates the mean of one value a replicate.
func Mean(values []float64) Estimate {
	return Bootstrap(len(values), func(replicates []int) float64 { return meanOf(values, replicates) })
}

// Ratio estimates the ratio of two means, replicate against the same
// replicate.
func Ratio(above, below []float64) Estimate {
	return Bootstrap(len(above), func(replicates []int) float64 {
		return meanOf(above, replicates) / meanOf(below, replicates)
	})
}

// Excess estimates by how much a mean is above so many times another, replicate
// against the same replicate.
func Excess(value []float64, times float64, other []float64) Estimate {
	return Bootstrap(len(value), func(replicates []int) float64 {
		return meanOf(value, replicates) - times*meanOf(other, replicates)
	})
}

func meanOf(values []float64, replicates []int) float64 {
	sum := 0.0
	for _, r := range replicates {
		sum += values[r]
	}
	return sum / float64(len(replicates))
}
