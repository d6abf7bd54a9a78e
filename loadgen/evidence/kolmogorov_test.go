package evidence_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"breakbank/loadgen/evidence"
)

// poisson draws arrivals of a Poisson process, in nanoseconds.
func poisson(seed uint64, perS float64, n int) []int64 {
	r, at := rand.New(rand.NewPCG(seed, 0)), 0.0
	times := make([]int64, n)
	for i := range times {
		at += r.ExpFloat64() / perS * 1e9
		times[i] = int64(at)
	}
	return times
}

func TestExponentialGaps(t *testing.T) {
	times := poisson(1, 500, 5000)
	if ks := evidence.ExponentialGaps(times, 500); ks.P < 0.001 || ks.Samples != 4999 {
		t.Errorf("a Poisson process: %+v", ks)
	}
	if ks := evidence.ExponentialGaps(times, 600); ks.P > 1e-6 {
		t.Errorf("another rate than asked for: %+v", ks)
	}
	even := sentAfter(make([]int64, 1000), func(i int, _ int64) int64 { return int64(i) * 2 * ms })
	// Every gap is the mean, where the law's distribution function is 1 - 1/e.
	if ks := evidence.ExponentialGaps(even, 500); math.Abs(ks.D-(1-1/math.E)) > 1e-9 || ks.P > 1e-9 {
		t.Errorf("a metronome: %+v", ks)
	}
	if ks := evidence.ExponentialGaps(nil, 500); ks.P != 1 {
		t.Errorf("no arrivals: %+v", ks)
	}
}

// TestPValuesAreUniform: over fair samples, a share p of the P values lies
// below p. 400 samples keep within 0.08 of that but for one time in 200.
func TestPValuesAreUniform(t *testing.T) {
	const samples = 400
	below := [10]int{}
	for seed := range uint64(samples) {
		p := evidence.ExponentialGaps(poisson(seed, 100, 201), 100).P
		for i := range below {
			if p < float64(i+1)/10 {
				below[i]++
			}
		}
	}
	for i, n := range below {
		if share, want := float64(n)/samples, float64(i+1)/10; math.Abs(share-want) > 0.08 {
			t.Errorf("a share of %.3f of the P values is below %.1f", share, want)
		}
	}
}
