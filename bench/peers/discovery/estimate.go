package discovery

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// tailSamples are needed to speak of a 99th percentile.
const tailSamples = 100

// quantile of the values that the blocks have together, NaN for none.
func quantile(q float64, samples []sample, blocks []int, of func(sample) []float64) float64 {
	var pooled []float64
	for _, b := range blocks {
		pooled = append(pooled, of(samples[b])...)
	}
	if len(pooled) == 0 {
		return math.NaN()
	}
	slices.Sort(pooled)
	return stat.Quantile(q, stat.Empirical, pooled, nil)
}

// mean of one value a block.
func mean(samples []sample, blocks []int, of func(sample) float64) float64 {
	sum := 0.0
	for _, b := range blocks {
		sum += of(samples[b])
	}
	return sum / float64(len(blocks))
}
