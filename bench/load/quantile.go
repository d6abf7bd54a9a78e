package load

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"

	"breakbank/loadgen/recording"
)

// samplesFor is how many samples a percentile needs: with fewer, less than one
// is expected beyond it (recording.Quantiles).
func samplesFor(percent float64) int64 { return int64(math.Ceil(100/(100-percent) - 1e-6)) }

// percentileMs is a percentile of a histogram of nanoseconds, nil of too few
// samples.
func percentileMs(h *hdrhistogram.Histogram, percent float64) *float64 {
	if h.TotalCount() < samplesFor(percent) {
		return nil
	}
	return toMs(h.ValueAtQuantile(percent))
}

// toMs rounds to microseconds, which is what the histograms hold.
func toMs(ns int64) *float64 {
	ms := math.Round(float64(ns)/1e3) / 1e3
	return &ms
}

// latencyIn is what a histogram says.
func latencyIn(h *hdrhistogram.Histogram) Latency {
	l := Latency{
		P50: percentileMs(h, 50), P90: percentileMs(h, 90), P99: percentileMs(h, 99), P999: percentileMs(h, 99.9),
	}
	if h.TotalCount() > 0 {
		l.Max = toMs(h.Max())
	}
	return l
}

func latencyOf(q recording.Quantiles) Latency {
	return Latency{P50: q.P50, P90: q.P90, P99: q.P99, P999: q.P999, Max: q.Max}
}

// since is what a histogram has gained since it was before.
func since(before, now *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	if before == nil {
		return now
	}
	gained := now.Export()
	for i, n := range before.Export().Counts {
		if i < len(gained.Counts) {
			gained.Counts[i] = max(0, gained.Counts[i]-n)
		}
	}
	return hdrhistogram.Import(gained)
}

// latency is a figure of a clock in milliseconds, or why there is none.
func (r *Result) latency(c recording.Clock, ns func(*hdrhistogram.Histogram) float64) (ms float64, why string) {
	h := r.histogram(c)
	if h == nil || h.TotalCount() == 0 {
		return 0, "nothing was sent"
	}
	return ns(h) / 1e6, ""
}

// percentile is any percentile of a clock in milliseconds, or why there is none.
func (r *Result) percentile(c recording.Clock, percent float64) (ms float64, why string) {
	h := r.histogram(c)
	if h == nil || h.TotalCount() == 0 {
		return 0, "nothing was sent"
	}
	v := percentileMs(h, percent)
	if v == nil {
		return 0, fmt.Sprintf("%d samples are too few, it needs %d", h.TotalCount(), samplesFor(percent))
	}
	return *v, ""
}

func (r *Result) histogram(c recording.Clock) *hdrhistogram.Histogram {
	if r.snapshot == nil {
		return nil
	}
	return r.snapshot.Overall(c)
}

// curvePerDecade is how many points of a curve there are to each nine.
const curvePerDecade = 20

// curve is the percentile curve of a histogram, as far as its samples carry it.
func curve(h *hdrhistogram.Histogram) []CurvePoint {
	points := []CurvePoint{}
	if h.TotalCount() == 0 {
		return points
	}
	last := int(math.Log10(float64(h.TotalCount())) * curvePerDecade)
	for i := 1; i <= last; i++ { // From the fastest tenth on: the least of all says little.
		percent := 100 * (1 - math.Pow(10, -float64(i)/curvePerDecade))
		points = append(points, CurvePoint{Percent: percent, Ms: *toMs(h.ValueAtQuantile(percent))})
	}
	return points
}

// leftOut says which percentiles a clock has too few samples for.
func leftOut(q recording.Quantiles) []string {
	all := []string{}
	for _, p := range []struct {
		name    string
		percent float64
		value   *float64
	}{
		{"p50", 50, q.P50}, {"p90", 90, q.P90}, {"p99", 99, q.P99}, {"p99.9", 99.9, q.P999},
	} {
		if p.value == nil {
			all = append(all, fmt.Sprintf("%s: %s samples, it needs %s", p.name, Grouped(int64(q.Samples)), Grouped(samplesFor(p.percent))))
		}
	}
	return all
}
