package loadgen

import (
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/loadgen/nullserver"
)

// Latency is quantiles in milliseconds, by name. One is left out where it was not
// reported, or there are too few calls for it.
type Latency map[string]float64

// quantiles are those that are looked at, by their names in results.
var quantiles = [...]struct {
	name, shown string
	q           float64
}{
	{"p50", "p50", 0.5},
	{"p90", "p90", 0.9},
	{"p95", "p95", 0.95},
	{"p99", "p99", 0.99},
	{"p999", "p99.9", 0.999},
	{"max", "max", 1},
}

// enough says whether so many calls have a quantile: as many as make one expected
// beyond it. The maximum is of any.
func enough(calls int, q float64) bool {
	const rounding = 1e-9
	return calls > 0 && (q == 1 || float64(calls)*(1-q) >= 1-rounding)
}

// ofHistogram are the quantiles of a histogram of nanoseconds.
func ofHistogram(h *hdrhistogram.Histogram) Latency {
	l := Latency{}
	for _, q := range quantiles {
		if enough(int(h.TotalCount()), q.q) {
			l[q.name] = milliseconds(time.Duration(h.ValueAtQuantile(q.q * 100)))
		}
	}
	return l
}

// ofTimes are the quantiles of a list of times, which is put in order.
func ofTimes(times []time.Duration) Latency {
	slices.Sort(times)
	l := Latency{}
	for _, q := range quantiles {
		if enough(len(times), q.q) {
			l[q.name] = milliseconds(nullserver.Distribution(times).At(q.q))
		}
	}
	return l
}

// milliseconds are rounded to microseconds, so that results are read more
// easily.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1e3
}
