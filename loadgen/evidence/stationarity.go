package evidence

import (
	"fmt"
	"math"
	"slices"
)

// Trend is the outcome of a Mann–Kendall test for a trend, and how large the
// change is.
type Trend struct {
	Windows int
	// P is the two-sided probability of a trend this clear if there is none.
	P float64
	// First and Second are the medians of the two halves.
	First, Second float64
	// Stationary is false when the trend is both clear and large.
	Stationary bool
}

// Tolerance is how large a change between the halves may be: the greater of an
// absolute one and a share of the first half's.
type Tolerance struct{ Absolute, Relative float64 }

// Tolerances for a baseline. A median latency that drifts by a millisecond or a
// quarter is a bank still warming up, or filling up; half a percent of journeys
// is what a baseline may lose at all (incident.md, "baseline").
var (
	LatencyTolerance = Tolerance{Absolute: 1, Relative: 0.25}
	ShareTolerance   = Tolerance{Absolute: 0.005}
)

// trendSignificance is the P below which a trend is clear. It is small because
// windows next to each other are alike, which makes the test find trends too
// often; the tolerance guards against the rest.
const trendSignificance = 0.01

// trendWindowsMin is the fewest windows that can show a trend at that
// significance: with 6, a strictly rising series has P = 0.0085.
const trendWindowsMin = 6

// Stationary tests a series of windows for a trend. Mann and Kendall count how
// many later windows exceed earlier ones, less those below; without a trend
//
//	S = Σ_{i<j} sign(x_j - x_i)  has mean 0 and variance
//	( n(n-1)(2n+5) - Σ_ties t(t-1)(2t+5) ) / 18
//
// and (|S|-1)/√variance is near enough normal from n = 6 on (Kendall 1975).
// Fewer windows than that are an error: a baseline too short to be judged.
func Stationary(windows []float64, t Tolerance) (Trend, error) {
	n := len(windows)
	if n < trendWindowsMin {
		return Trend{Windows: n}, fmt.Errorf("a baseline of %d windows is too short to be tested for a trend, at least %d are needed", n, trendWindowsMin)
	}
	s := 0.0
	for i := range windows {
		for j := i + 1; j < n; j++ {
			switch {
			case windows[j] > windows[i]:
				s++
			case windows[j] < windows[i]:
				s--
			}
		}
	}
	trend := Trend{Windows: n, P: 1, First: median(windows[:n/2]), Second: median(windows[n-n/2:])}
	if variance := kendallVariance(windows); variance > 0 && s != 0 {
		trend.P = math.Erfc((math.Abs(s) - 1) / math.Sqrt(2*variance))
	}
	allowed := max(t.Absolute, t.Relative*math.Abs(trend.First))
	large := math.Abs(trend.Second-trend.First) > allowed
	trend.Stationary = !large || trend.P >= trendSignificance
	return trend, nil
}

func kendallVariance(windows []float64) float64 {
	term := func(t int) float64 { return float64(t) * float64(t-1) * float64(2*t+5) }
	sorted := slices.Sorted(slices.Values(windows))
	variance, run := term(len(sorted)), 1
	for i := 1; i <= len(sorted); i++ {
		if i < len(sorted) && sorted[i] == sorted[i-1] {
			run++
			continue
		}
		variance -= term(run)
		run = 1
	}
	return variance / 18
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(v))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
