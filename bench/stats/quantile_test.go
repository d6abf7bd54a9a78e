package stats

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func TestQuantileIsGonums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 300).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		slices.Sort(values)
		if got, want := Quantile(q, values), stat.Quantile(q, stat.Empirical, values, nil); got != want {
			t.Errorf("the %v quantile is %v; of gonum it is %v", q, got, want)
		}
	})
	if q := Quantile(0.5, nil); !math.IsNaN(q) {
		t.Errorf("the median of nothing is %v", q)
	}
}
