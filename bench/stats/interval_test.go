package stats

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestIntervalsOfKnownValues(t *testing.T) {
	same := []float64{3, 3, 3, 3, 3, 3}
	if e := Mean(same); e != (Estimate{3, 3, 3}) {
		t.Errorf("the mean of what does not vary: %+v", e)
	}
	if e := Ratio(same, []float64{1, 1, 1, 1, 1, 1}); e != (Estimate{3, 3, 3}) {
		t.Errorf("the ratio of what does not vary: %+v", e)
	}
	// Blocks are compared with themselves: what both share does not widen it.
	noisy, twice := []float64{1, 5, 2, 9, 3, 7}, []float64{2, 10, 4, 18, 6, 14}
	if e := Ratio(twice, noisy); math.Abs(e.High-e.Low) > 1e-9 || e.Value != 2 {
		t.Errorf("a ratio that is 2 in every block: %+v", e)
	}
	if e := Excess(twice, 2, noisy); e != (Estimate{}) {
		t.Errorf("an excess that is 0 in every block: %+v", e)
	}
	if e := Mean(noisy); e.Low >= e.Value || e.High <= e.Value || e.Low < 1 || e.High > 9 {
		t.Errorf("the mean of what does vary: %+v", e)
	}
}

func TestEveryIntervalHoldsItsValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0.1, 1000), 1, 10).Draw(t, "values")
		e := Mean(values)
		// One resample in so many may lie beyond any of them; the mean of all
		// never does by more than rounding.
		const rounding = 1e-9
		if e.Low > e.Value*(1+rounding) || e.High < e.Value*(1-rounding) {
			t.Fatalf("%+v", e)
		}
		if again := Mean(values); again != e {
			t.Fatalf("%+v, and again %+v", e, again)
		}
	})
}
