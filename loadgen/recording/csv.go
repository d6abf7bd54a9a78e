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
// for which a second has too few samples is empty. names is the table that the
// records point into.
func WriteSeries(w io.Writer, records []loadgen.Record, names []string) error {
	return writeSeconds(w, SeriesOf(records, names), names)
}

func writeSeconds(w io.Writer, seconds []Second, names []string) error {
	out := csv.NewWriter(w)
	// The csv.Writer keeps its first error for the end.
	_ = out.Write(seriesHeader)
	for i := range seconds {
		s := &seconds[i]
		for j, name := range names {
			q := &s.LatencyMs[j]
			line := []string{strconv.Itoa(s.Index), name, count(s.Scheduled[j]), count(s.Sent[j])}
			for o := loadgen.OK; o <= loadgen.Unknown; o++ {
				line = append(line, count(s.Outcomes[j][o]))
			}
			_ = out.Write(append(line, shownMs(q.P50), shownMs(q.P99), shownMs(q.Max)))
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write series: %w", err)
	}
	return nil
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func shownMs(ms *float64) string {
	if ms == nil {
		return ""
	}
	return strconv.FormatFloat(*ms, 'f', 3, 64)
}
