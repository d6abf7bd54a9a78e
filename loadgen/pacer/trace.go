package pacer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// traceMax is how many arrivals a trace may have: as many as a schedule.
	traceMax = 20_000_000
	// traceBytesMax bounds what is read, so that a file without an end, or the
	// wrong one, is noticed.
	traceBytesMax = 1 << 30
	// traceLineMax bounds a line, in bytes.
	traceLineMax = 64 << 10
	// traceLastS is the latest arrival, 30 days. Times since 1970 lie far above
	// it.
	traceLastS = 30 * 24 * 3600
)

// Trace is arrivals that happened once, at the times of a file. After the last
// there are none. It draws nothing: the arrivals, and so the schedule's hash,
// are the same whatever the seed.
type Trace struct {
	file string
	// times are strictly increasing and above 0.
	times []time.Duration
}

// ReadTrace reads a file as ParseTrace does.
func ReadTrace(file string) (Trace, error) {
	f, err := os.Open(file)
	if err != nil {
		return Trace{}, fmt.Errorf("trace: %w", err)
	}
	defer f.Close()
	return ParseTrace(file, f)
}

// ParseTrace reads one arrival a line: the seconds since the start of the load,
// alone or as the first column of a CSV. They must be in order. Empty lines,
// lines that begin with # and a heading in the first line are passed over.
//
// Times are rounded to nanoseconds. Arrivals at the same time, or at 0, are put
// one nanosecond apart, since a pacer says what comes after a time. file is the
// name in errors and results.
func ParseTrace(file string, r io.Reader) (Trace, error) {
	return parseTrace(file, r, traceMax, traceBytesMax)
}

func parseTrace(file string, r io.Reader, arrivals int, bytes int64) (Trace, error) {
	t := Trace{file: file}
	limited := &io.LimitedReader{R: r, N: bytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, traceLineMax)
	line, seconds := 0, 0.0
	for lines.Scan() {
		line++
		text := firstColumn(lines.Text())
		if text == "" {
			continue
		}
		s, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil && line == 1:
			continue // a heading
		case err != nil || math.IsNaN(s) || s < 0:
			return Trace{}, fmt.Errorf("trace %s: line %d: %q is not a time in seconds, such as 12.5", file, line, cut(text))
		case s > traceLastS:
			return Trace{}, fmt.Errorf("trace %s: line %d: %s s is more than 30 days; times count from the start of the load", file, line, cut(text))
		case s < seconds:
			return Trace{}, fmt.Errorf("trace %s: line %d: %s s comes after %s s; times must be in order", file, line, cut(text), number(seconds))
		case len(t.times) == arrivals:
			return Trace{}, fmt.Errorf("trace %s: line %d: more than %d arrivals", file, line, arrivals)
		}
		t.add(s)
		seconds = s
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Trace{}, fmt.Errorf("trace %s: line %d is longer than %d bytes", file, line+1, traceLineMax)
	case err != nil:
		return Trace{}, fmt.Errorf("trace %s: line %d: %w", file, line+1, err)
	case limited.N <= 0:
		return Trace{}, fmt.Errorf("trace %s: longer than %d bytes", file, bytes)
	case len(t.times) == 0:
		return Trace{}, fmt.Errorf("trace %s: no arrival in %d lines", file, line)
	}
	t.times = slices.Clip(t.times)
	return t, nil
}

func (t *Trace) add(s float64) {
	at := after(0, s)
	if last := len(t.times) - 1; last >= 0 {
		at = max(at, t.times[last]+1)
	}
	t.times = append(t.times, max(at, 1))
}

// firstColumn is the first column of a line, without its quotes; "" for a line
// that says nothing.
func firstColumn(line string) string {
	line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if strings.HasPrefix(line, "#") {
		return ""
	}
	if i := strings.IndexAny(line, ",;\t"); i >= 0 {
		if strings.TrimSpace(line[:i]) == "" {
			return "," // The column is empty, which is not the same as no line.
		}
		line = line[:i]
	}
	return strings.Trim(strings.TrimSpace(line), `"`)
}

// cut shortens what an error quotes.
func cut(text string) string {
	const most = 40
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "?") + "…"
	}
	return text
}

// Len is how many arrivals there are.
func (t Trace) Len() int { return len(t.times) }

// End is when the last one comes.
func (t Trace) End() time.Duration {
	if len(t.times) == 0 {
		return 0
	}
	return t.times[len(t.times)-1]
}

// Rate is how many arrivals there are in the whole second that at lies in.
func (t Trace) Rate(at time.Duration) float64 {
	from := at - at%time.Second
	return float64(t.before(from+time.Second) - t.before(from))
}

// Next is the first arrival after prev.
func (t Trace) Next(prev time.Duration, _ func() float64) time.Duration {
	if i := t.before(prev + 1); i < len(t.times) {
		return t.times[i]
	}
	return never
}

// before is how many arrivals come before at.
func (t Trace) before(at time.Duration) int {
	i, _ := slices.BinarySearch(t.times, at)
	return i
}

// Validate refuses a trace that was not read.
func (t Trace) Validate() error {
	if len(t.times) == 0 {
		return errors.New("trace: it has no arrivals")
	}
	return nil
}

// String is what Parse reads.
func (t Trace) String() string { return "trace:" + t.file }
