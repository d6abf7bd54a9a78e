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
	at := func(perMille int64) *float64 {
		if !shown(int64(n), perMille) {
			return nil
		}
		return milliseconds(ns[rankOf(int64(n), perMille)-1])
	}
	q := Quantiles{Samples: n, P50: at(500), P90: at(900), P99: at(990), P999: at(999)}
	if n > 0 {
		q.Max = milliseconds(ns[n-1])
	}
	return q
}

// quantilesOfPacked takes the same quantiles of a histogram whose steps are
// coarser than the grid by some bits. A value is shown as the top of its step, as
// HDR tools do: never less than it was.
func quantilesOfPacked(p packed, coarser int) Quantiles {
	n := p.total()
	q := Quantiles{Samples: int(n)}
	if n == 0 {
		return q
	}
	wanted := [...]struct {
		perMille int64
		to       **float64
	}{{500, &q.P50}, {900, &q.P90}, {990, &q.P99}, {999, &q.P999}}
	next, seen, last := 0, int64(0), 0
	for step, count := range p.all {
		seen += count
		last = step
		for next < len(wanted) && seen >= rankOf(n, wanted[next].perMille) {
			if shown(n, wanted[next].perMille) {
				*wanted[next].to = milliseconds(coarseTop(step, coarser))
			}
			next++
		}
	}
	q.Max = milliseconds(coarseTop(last, coarser))
	return q
}

// coarseTop is the highest value of a step that is 1<<coarser steps of the grid.
func coarseTop(step, coarser int) int64 { return stepTop((step+1)<<coarser - 1) }

// shown says whether there are enough samples for a quantile.
func shown(n, perMille int64) bool { return n >= 1000/(1000-perMille) }

// rankOf is the rank of a quantile, from 1, rounded up without a product that
// could run over.
func rankOf(n, perMille int64) int64 {
	return n/1000*perMille + (n%1000*perMille+999)/1000
}

// milliseconds rounds to microseconds, which is what the histograms hold too.
func milliseconds(ns int64) *float64 {
	ms := math.Round(float64(ns)/1e3) / 1e3
	return &ms
}
