package recording

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"breakbank/loadgen"
)

// HLogName is the file of a clock's histograms.
func HLogName(c Clock) string { return c.String() + ".hlog" }

// WriteHLog writes the histograms of one clock in HdrHistogram's log format,
// version 1.3: one for each interval of intended time and each journey that has
// something in it, tagged with the journey's name, in nanoseconds. origin is
// when the run began; names is the table that the records point into. Retries
// are left out.
func WriteHLog(w io.Writer, records []loadgen.Record, c Clock, origin time.Time, interval time.Duration, names []string) error {
	if interval <= 0 {
		return fmt.Errorf("write %s: an interval of %v is none", HLogName(c), interval)
	}
	parts := map[int64][]*loadgen.Record{}
	last := int64(-1)
	for i := range records {
		if records[i].Retry > 0 {
			continue
		}
		part := max(records[i].IntendedNs, 0) / interval.Nanoseconds()
		parts[part] = append(parts[part], &records[i])
		last = max(last, part)
	}
	log := newLogWriter(w, origin)
	var m memory
	for part := int64(0); part <= last; part++ {
		times := make([]histogram, len(names))
		for _, r := range parts[part] {
			if ns, ok := c.Of(r); ok {
				times[r.Journey].add(stepOf(ns), &m)
			}
		}
		for j := range times {
			log.interval(names[j], time.Duration(part)*interval, interval, times[j].pack(0, &m))
		}
	}
	return log.end(c)
}

// WriteHLog writes the histograms of one clock as the function WriteHLog does,
// in at most 64 intervals: of a second each in a run of up to a minute, and else
// of 1, 2, 4, 8 … seconds, as even as whole seconds go, the longer ones first.
// Only so is the memory of a recorder the same however long it records.
func (s *Snapshot) WriteHLog(w io.Writer, c Clock, origin time.Time) error {
	log := newLogWriter(w, origin)
	for _, p := range s.log.parts() {
		for j, name := range s.names {
			log.interval(name, time.Duration(p.from)*time.Second, time.Duration(p.lasts)*time.Second, p.of[j*clockCount+int(c)])
		}
	}
	return log.end(c)
}

// logWriter writes an HDR log. Its first error is kept for the end.
//
// Source of the format: HdrHistogram, HistogramLogWriter.java: a comment for the
// version, one for the start, a legend, and lines of an optional tag, the start
// and the length of an interval in seconds, its highest value in milliseconds,
// and the histogram.
type logWriter struct {
	w      *bufio.Writer
	origin time.Time
	coder  coder
	err    error
}

func newLogWriter(w io.Writer, origin time.Time) *logWriter {
	l := &logWriter{w: bufio.NewWriter(w), origin: origin}
	l.line("#[Histogram log format version 1.3]\n")
	l.line("#[StartTime: %.3f (seconds since epoch), %s]\n", seconds(origin), origin.UTC().Format(time.RFC3339Nano))
	l.line(`"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"` + "\n")
	return l
}

func (l *logWriter) line(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format, args...)
	}
}

// interval writes a histogram, unless it is empty.
func (l *logWriter) interval(name string, from, lasts time.Duration, p packed) {
	if p == "" || l.err != nil {
		return
	}
	text, err := l.coder.encode(p)
	if err != nil {
		l.err = err
		return
	}
	l.line("Tag=%s,%.3f,%.3f,%.3f,%s\n", tagOf(name), seconds(l.origin.Add(from)), lasts.Seconds(), float64(p.top())/1e6, text)
}

func (l *logWriter) end(c Clock) error {
	if l.err == nil {
		l.err = l.w.Flush()
	}
	if l.err != nil {
		return fmt.Errorf("write %s: %w", HLogName(c), l.err)
	}
	return nil
}

// tagOf is a name as a tag, which the format lets have no comma, space or line
// break.
func tagOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ',' || r <= ' ' {
			return '_'
		}
		return r
	}, name)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
