package recording

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"breakbank/loadgen"
)

// SeriesName is the file of the per-second series.
const SeriesName = "series.csv"

var seriesHeader = []string{
	"second", "journey", "scheduled", "sent",
	"ok", "degraded", "declined", "failed", "unknown",
	"response_p50_ms", "response_p99_ms", "response_max_ms",
}

// WriteSeries writes a line for each second and journey: scheduled, sent and
// latency by the intended time, outcomes by that of the decision. A quantile
// for which a second has too few samples is empty.
func WriteSeries(w io.Writer, records []loadgen.Record) error {
	seconds := SeriesOf(records)
	spans := make([][loadgen.JourneyCount][]int64, len(seconds))
	for i := range records {
		r := &records[i]
		if ns, ok := Response.Of(r); ok {
			of := &spans[secondOf(r.IntendedNs)][r.Journey]
			*of = append(*of, ns)
		}
	}
	out := csv.NewWriter(w)
	// The csv.Writer keeps its first error for the end.
	_ = out.Write(seriesHeader)
	for second := range seconds {
		s := &seconds[second]
		for j := range loadgen.JourneyCount {
			q := quantilesOf(spans[second][j])
			line := []string{strconv.Itoa(second), loadgen.Journeys[j].Name, count(s.Scheduled[j]), count(s.Sent[j])}
			for o := loadgen.OK; o <= loadgen.Unknown; o++ {
				line = append(line, count(s.Outcomes[j][o]))
			}
			_ = out.Write(append(line, cell(q.P50), cell(q.P99), cell(q.Max)))
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write series: %w", err)
	}
	return nil
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func cell(ms *float64) string {
	if ms == nil {
		return ""
	}
	return strconv.FormatFloat(*ms, 'f', 3, 64)
}
