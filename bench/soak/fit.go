package soak

import (
	"math"
	"math/rand/v2"
	"slices"

	"breakbank/bench/stats"
)

// Point is a reading: seconds since the soak began, and a value.
type Point struct {
	AtS   float64 `json:"at_s"`
	Value float64 `json:"value"`
}

// Growth is by how much a series grows over a soak, with its 95 % interval, and
// its mean.
type Growth struct {
	stats.Estimate
	Mean float64 `json:"mean"`
}

const (
	// resamples: see package stats.
	resamples = 1000
	// pointsMin is how few points no interval is made of: eight blocks of three.
	pointsMin = 24
)

// fit lays a line through points and says how much it rises over a time. It is
// pure: the same points give the same interval.
func fit(points []Point, overS float64) Growth {
	at, values := make([]float64, len(points)), make([]float64, len(points))
	for i, p := range points {
		at[i], values[i] = p.AtS, p.Value
	}
	slope := slopeOf(at, values)
	g := Growth{Mean: mean(values)}
	g.Value = slope * overS
	left, middle := make([]float64, len(points)), mean(at)
	for i := range points {
		left[i] = values[i] - g.Mean - slope*(at[i]-middle)
	}

	rng := rand.New(rand.NewPCG(resamples, uint64(len(points))))
	block := blockOf(len(points))
	drawn, slopes := make([]float64, len(points)), make([]float64, resamples)
	for r := range slopes {
		for i := 0; i < len(drawn); i += block {
			from := rng.IntN(len(left) - block + 1)
			copy(drawn[i:], left[from:from+block])
		}
		slopes[r] = slopeOf(at, drawn)
	}
	slices.Sort(slopes)
	g.Low = g.Value + stats.Quantile((1-stats.Confidence)/2, slopes)*overS
	g.High = g.Value + stats.Quantile((1+stats.Confidence)/2, slopes)*overS
	return g
}

// slopeOf is the slope of the line through points from which their squared
// distances are least: Σ(x−x̄)(y−ȳ) / Σ(x−x̄)².
func slopeOf(x, y []float64) float64 {
	meanX, meanY := mean(x), mean(y)
	var both, alone float64
	for i := range x {
		both += (x[i] - meanX) * (y[i] - meanY)
		alone += (x[i] - meanX) * (x[i] - meanX)
	}
	return both / alone
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// blockOf is how many neighbours are drawn together: the root of all of them, so
// that blocks are both long and many.
func blockOf(n int) int { return max(1, int(math.Sqrt(float64(n)))) }
