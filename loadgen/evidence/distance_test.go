package evidence

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func TestDistanceIsGonums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few different values, so that many are the same.
		draw := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 40), func(v int) float64 { return float64(v) / 8 }), 1, 200)
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		got := distance(slices.Clone(a), slices.Clone(b))
		slices.Sort(a)
		slices.Sort(b)
		if want := stat.KolmogorovSmirnov(a, nil, b, nil); math.Abs(got-want) > 1e-12 {
			t.Errorf("the distance is %v; of gonum it is %v", got, want)
		}
	})
}
