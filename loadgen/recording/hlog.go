package recording

import (
	"fmt"
	"io"
	"time"

	"breakbank/loadgen"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// HLogName is the file of a clock's histograms.
func HLogName(c Clock) string { return c.String() + ".hlog" }

// WriteHLog writes the histograms of one clock in HdrHistogram's log format,
// version 1.3: one for each interval of intended time and each journey that has
// something in it, tagged with the journey's name, in nanoseconds. origin is
// when the run began.
func WriteHLog(w io.Writer, records []loadgen.Record, c Clock, origin time.Time, interval time.Duration) error {
	if interval <= 0 {
		return fmt.Errorf("write %s: an interval of %v is none", HLogName(c), interval)
	}
	parts := map[int64][]*loadgen.Record{}
	last := int64(-1)
	for i := range records {
		part := max(records[i].IntendedNs, 0) / interval.Nanoseconds()
		parts[part] = append(parts[part], &records[i])
		last = max(last, part)
	}
	log := hdrhistogram.NewHistogramLogWriter(w)
	err := writeHLogHead(log, origin)
	for part := int64(0); part <= last && err == nil; part++ {
		err = writeHLogPart(log, parts[part], c, origin.Add(time.Duration(part)*interval), interval)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", HLogName(c), err)
	}
	return nil
}

func writeHLogHead(log *hdrhistogram.HistogramLogWriter, origin time.Time) error {
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	if err := log.OutputStartTime(origin.UnixMilli()); err != nil {
		return err
	}
	return log.OutputLegend()
}

// writeHLogPart writes the histograms of one interval. One histogram serves all
// journeys of it in turn.
func writeHLogPart(log *hdrhistogram.HistogramLogWriter, records []*loadgen.Record, c Clock, from time.Time, lasts time.Duration) error {
	h := newHistogram()
	for j, spec := range loadgen.Journeys {
		h.Reset()
		for _, r := range records {
			if r.Journey == loadgen.Journey(j) {
				addTo(h, c, r)
			}
		}
		if h.TotalCount() == 0 {
			continue
		}
		h.SetTag(spec.Name)
		h.SetStartTimeMs(from.UnixMilli())
		h.SetEndTimeMs(from.Add(lasts).UnixMilli())
		if err := log.OutputIntervalHistogram(h); err != nil {
			return err
		}
	}
	return nil
}
