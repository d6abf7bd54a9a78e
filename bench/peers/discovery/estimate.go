package discovery

import (
	"slices"

	"breakbank/bench/stats"
)

// tailSamples are needed to speak of a 99th percentile.
const tailSamples = 100

// quantile of the values that the blocks have together, NaN for none.
func quantile(q float64, samples []sample, blocks []int, of func(sample) []float64) float64 {
	var pooled []float64
	for _, b := range blocks {
		pooled = append(pooled, of(samples[b])...)
	}
	slices.Sort(pooled)
	return stats.Quantile(q, pooled)
}

// mean of one value a block.
func mean(samples []sample, blocks []int, of func(sample) float64) float64 {
	sum := 0.0
	for _, b := range blocks {
		sum += of(samples[b])
	}
	return sum / float64(len(blocks))
}
