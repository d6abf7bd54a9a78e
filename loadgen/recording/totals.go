package recording

import (
	"time"

	"breakbank/loadgen"
)

// Totals are the figures of a load as a whole, for a load of one kind under
// which nothing changes. A run with phases is never pooled into them.
type Totals struct {
	Scheduled int64 `json:"scheduled"`
	Sent      int64 `json:"sent"`
	Done      int64 `json:"done"`
	OK        int64 `json:"ok"`
	Degraded  int64 `json:"degraded"`
	Declined  int64 `json:"declined"`
	Failed    int64 `json:"failed"`
	Unknown   int64 `json:"unknown"`
	// RatePerS is sent per second of the time over which they were due.
	RatePerS    float64   `json:"rate_per_s"`
	LatencyMs   Quantiles `json:"latency_ms"`
	ServiceMs   Quantiles `json:"service_ms"`
	SendDelayMs Quantiles `json:"send_delay_ms"`
	// Errors counts failed and unknown journeys by code.
	Errors map[string]int64 `json:"errors"`
	// Routes counts sent journeys by the route they were answered over.
	Routes map[string]int64 `json:"routes"`
}

// TotalsOf adds up the records of a load that lasted for some time. Scheduled
// may exceed the number of records where a load was interrupted. Retries are left
// out.
func TotalsOf(records []loadgen.Record, scheduled int, lasted time.Duration) Totals {
	t := Totals{Scheduled: int64(scheduled), Errors: map[string]int64{}, Routes: map[string]int64{}}
	var tally Tally
	var spans [clockCount][]int64
	for i := range records {
		r := &records[i]
		if r.Retry > 0 {
			continue
		}
		tally.Add(r.Outcome)
		if r.Outcome == loadgen.Failed || r.Outcome == loadgen.Unknown {
			t.Errors[r.Code]++
		}
		if !r.Sent() {
			continue
		}
		t.Sent++
		if r.Route != "" {
			t.Routes[r.Route]++
		}
		for _, c := range Clocks {
			ns, _ := c.Of(r)
			spans[c] = append(spans[c], ns)
		}
	}
	t.Done = t.Sent // A record is made when its journey has ended.
	t.OK, t.Degraded, t.Declined, t.Failed, t.Unknown = tally.OK, tally.Degraded, tally.Declined, tally.Failed, tally.Unknown
	if lasted > 0 {
		t.RatePerS = float64(t.Sent) / lasted.Seconds()
	}
	t.LatencyMs = quantilesOf(spans[Response])
	t.ServiceMs = quantilesOf(spans[Service])
	t.SendDelayMs = quantilesOf(spans[SendDelay])
	return t
}

// RetriesOf counts the tries beyond the first.
func RetriesOf(records []loadgen.Record) Tally {
	var t Tally
	for i := range records {
		if records[i].Retry > 0 {
			t.Add(records[i].Outcome)
		}
	}
	return t
}
