package recording

import (
	"breakbank/loadgen"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a histogram: from a microsecond to a minute, four times the
// longest patience, at three significant digits. Values are nanoseconds, as the
// tools that read HDR logs expect.
const (
	histogramMinNs  = 1_000
	histogramMaxNs  = 60_000_000_000
	histogramDigits = 3
)

// Histograms are HDR histograms of each clock and journey, in nanoseconds.
// Their size does not grow. Not safe for concurrent use.
type Histograms struct {
	of [clockCount][loadgen.JourneyCount]*hdrhistogram.Histogram
}

// NewHistograms returns empty histograms.
func NewHistograms() *Histograms {
	h := &Histograms{}
	for c := range h.of {
		for j := range h.of[c] {
			h.of[c][j] = newHistogram()
		}
	}
	return h
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(histogramMinNs, histogramMaxNs, histogramDigits)
}

// Add counts a record.
func (h *Histograms) Add(r *loadgen.Record) {
	for _, c := range Clocks {
		addTo(h.of[c][r.Journey], c, r)
	}
}

// addTo counts a record in one histogram.
func addTo(h *hdrhistogram.Histogram, c Clock, r *loadgen.Record) {
	if ns, ok := c.Of(r); ok {
		// A value in the range is never refused.
		_ = h.RecordValue(min(max(ns, 0), histogramMaxNs))
	}
}

// Merge adds what another worker, or another part of the run, counted.
func (h *Histograms) Merge(other *Histograms) {
	for c := range h.of {
		for j := range h.of[c] {
			h.of[c][j].Merge(other.of[c][j])
		}
	}
}

// Journey is the histogram of one journey; it belongs to h.
func (h *Histograms) Journey(c Clock, j loadgen.Journey) *hdrhistogram.Histogram { return h.of[c][j] }

// Overall is a new histogram of all journeys.
func (h *Histograms) Overall(c Clock) *hdrhistogram.Histogram {
	all := newHistogram()
	for _, one := range h.of[c] {
		all.Merge(one)
	}
	return all
}
