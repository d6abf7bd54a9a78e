package recording

import (
	"math"
	"slices"
)

// Quantiles are quantiles of a latency in milliseconds. One is nil, and left
// out of JSON, where there are too few samples for it.
//
// The rule: the quantile q is shown from 1/(1-q) samples on, that is 2 for p50,
// 10 for p90, 100 for p99, 1000 for p99.9. With fewer, less than one sample is
// expected beyond it, and what would be printed is the maximum by another name.
type Quantiles struct {
	Samples int      `json:"samples"`
	P50     *float64 `json:"p50,omitempty"`
	P90     *float64 `json:"p90,omitempty"`
	P99     *float64 `json:"p99,omitempty"`
	P999    *float64 `json:"p999,omitempty"`
	Max     *float64 `json:"max,omitempty"`
}

// quantilesOf takes quantiles of spans in nanoseconds by the nearest rank: the
// smallest value that at least the share q of all do not exceed. It sorts ns.
func quantilesOf(ns []int64) Quantiles {
	slices.Sort(ns)
	n := len(ns)
	at := func(perMille int) *float64 {
		if n*(1000-perMille) < 1000 {
			return nil
		}
		rank := (n*perMille + 999) / 1000
		return milliseconds(ns[rank-1])
	}
	q := Quantiles{Samples: n, P50: at(500), P90: at(900), P99: at(990), P999: at(999)}
	if n > 0 {
		q.Max = milliseconds(ns[n-1])
	}
	return q
}

// milliseconds rounds to microseconds, which is what the histograms hold too.
func milliseconds(ns int64) *float64 {
	ms := math.Round(float64(ns)/1e3) / 1e3
	return &ms
}
