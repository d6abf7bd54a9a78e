package stats

import "math"

// Quantile is the least of the values that a share q of them, from 0 to 1, does
// not exceed: the inverse of their empirical distribution. It is always one of
// them. They must be sorted; of none there is none, NaN.
//
// gonum's stat, which the test holds this to, would bring linear algebra of 2 MB
// for it into the program.
func Quantile(q float64, sorted []float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
