package balance

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The scheduler gives each its share, evenly spaced: at no time is anyone more
// than two turns off what it is due.
func TestStride(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		weights := make([]float64, n)
		for i := range weights {
			weights[i] = rapid.Float64Range(1, 9).Draw(t, "weight")
		}
		var s stride
		s.build(weights)
		total := 0.0
		for _, w := range s.weights {
			total += float64(w)
		}
		counter := rapid.Uint64Range(0, 1<<32).Draw(t, "start") / uint64(n) * uint64(n)
		got := make([]int, n)
		for k := 1; k <= 2000; k++ {
			got[s.next(&counter)]++
			for i := range got {
				// One turn for where it began, one for where the round is, and
				// the same again for the others, whose turns it counts.
				if due := float64(k) * float64(s.weights[i]) / total; math.Abs(float64(got[i])-due) > 2+float64(n) {
					t.Fatalf("after %d turns %d had %d, due %.1f; weights %v", k, i, got[i], due, s.weights)
				}
			}
		}
	})
}

// Weights are kept between a hundredth of the mean and ten times it, so that
// the next turn is never far.
func TestStrideKeepsToItsRange(t *testing.T) {
	weights := make([]float64, 100)
	for i := range weights {
		weights[i] = 1
	}
	weights[0], weights[1] = 1e9, 1e-9
	var s stride
	s.build(weights)
	if s.weights[0] != strideMax {
		t.Errorf("the greatest is %d of %d", s.weights[0], strideMax)
	}
	for i, w := range s.weights {
		if w < 1 {
			t.Errorf("%d is never taken", i)
		}
	}
	equal := []float64{0.3, 0.3}
	s.build(equal)
	if s.weights[0] != strideMax || s.weights[1] != strideMax {
		t.Errorf("equal weights are %v", s.weights)
	}
}
