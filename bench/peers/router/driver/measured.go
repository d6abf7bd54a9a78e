package driver

import (
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a histogram: from a microsecond to a minute at three significant
// digits. Values are nanoseconds.
const (
	histogramMinNs  = 1_000
	histogramMaxNs  = int64(time.Minute)
	histogramDigits = 3
)

// NewHistogram returns an empty histogram of times in nanoseconds.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(histogramMinNs, histogramMaxNs, histogramDigits)
}

// record counts a time; one beyond the range counts as its end.
func record(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, 0), histogramMaxNs)) // in the range, so never refused
}

// Measured is what came of a Load.
type Measured struct {
	// Done is the calls that were answered in the window, rightly.
	Done int64
	// Due is the arrivals of the window; of a closed loop it is Done.
	Due int64
	// Unsent is those of them that were not sent: too many were under way, or
	// their connection was lost.
	Unsent int64
	// Failed is the calls that came to a wrong end, at whatever time, and Errors
	// says what ends; Unanswered is those without an answer when patience ended.
	Failed, Unanswered int64
	Errors             map[string]int64
	// Response is intended to done, Service sent to done, SendDelay intended to
	// sent: of the calls due in the window, or in a closed loop of those that
	// ended in it. Calls that failed or were not answered are in it with the time
	// they had reached.
	Response, Service, SendDelay *hdrhistogram.Histogram
}

func newMeasured() Measured {
	return Measured{Errors: map[string]int64{}, Response: NewHistogram(), Service: NewHistogram(), SendDelay: NewHistogram()}
}

// add puts what another connection saw to this.
func (m *Measured) add(o *Measured) {
	m.Done += o.Done
	m.Due += o.Due
	m.Unsent += o.Unsent
	m.Failed += o.Failed
	m.Unanswered += o.Unanswered
	for _, what := range slices.Sorted(maps.Keys(o.Errors)) {
		m.Errors[what] += o.Errors[what]
	}
	m.Response.Merge(o.Response)
	m.Service.Merge(o.Service)
	m.SendDelay.Merge(o.SendDelay)
}
