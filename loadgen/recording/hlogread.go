package recording

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bounds on a log that is read: of a line, and of the counts of all histograms
// together, at 8 bytes each. A histogram on the grid has 18,432.
const (
	hlogLineMaxBytes = 1 << 20
	hlogCountsMax    = 1 << 26
)

// TaggedHistogram is an interval of an HDR log. The embedded histogram carries
// the tag and the times too.
type TaggedHistogram struct {
	Tag   string
	From  time.Time
	Lasts time.Duration
	*hdrhistogram.Histogram
}

// ReadHLog reads a log in HdrHistogram's format whose histograms are in V2, the
// present one, compressed. The times of a log that has a base time, or whose
// times are smaller than its start by more than a year, count from there.
func ReadHLog(r io.Reader) ([]TaggedHistogram, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, hlogLineMaxBytes)
	log := logReader{}
	n := 0
	for lines.Scan() {
		n++
		if err := log.line(strings.TrimRight(lines.Text(), "\r")); err != nil {
			return nil, fmt.Errorf("read HDR log, line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read HDR log, after line %d: %w", n, err)
	}
	return log.all, nil
}

type logReader struct {
	all         []TaggedHistogram
	start, base float64 // seconds since the epoch
	hasBase     bool
	countsSoFar int
}

// aYear is how much smaller than the start the times of a log must be to be taken
// as relative to it (HistogramLogProcessor's own rule).
const aYear = 365 * 24 * 3600

func (l *logReader) line(text string) error {
	switch {
	case text == "" || strings.HasPrefix(text, `"StartTimestamp"`):
		return nil
	case strings.HasPrefix(text, "#[StartTime:"):
		return l.headTime(text, &l.start)
	case strings.HasPrefix(text, "#[BaseTime:"):
		l.hasBase = true
		return l.headTime(text, &l.base)
	case text[0] == '#':
		return nil
	}
	return l.histogram(text)
}

func (l *logReader) headTime(text string, to *float64) error {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return fmt.Errorf("%q has no time", text)
	}
	var err error
	*to, err = parseSeconds(fields[1])
	return err
}

func (l *logReader) histogram(text string) error {
	var one TaggedHistogram
	fields := strings.Split(text, ",")
	if tag, ok := strings.CutPrefix(fields[0], "Tag="); ok {
		one.Tag, fields = tag, fields[1:]
	}
	if len(fields) != 4 {
		return fmt.Errorf("%d fields where an interval has 4 after its tag", len(fields))
	}
	from, err := parseSeconds(fields[0])
	if err != nil {
		return err
	}
	lasts, err := parseSeconds(fields[1])
	if err != nil {
		return err
	}
	counts, err := hdrCounts(fields[3])
	if err != nil {
		return err
	}
	if l.countsSoFar += counts; l.countsSoFar > hlogCountsMax {
		return fmt.Errorf("the histograms have more than %d counts", hlogCountsMax)
	}
	if one.Histogram, err = hdrhistogram.Decode([]byte(fields[3])); err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	switch {
	case l.hasBase:
		from += l.base
	case from < l.start-aYear:
		from += l.start
	}
	one.From, one.Lasts = time.UnixMilli(int64(math.Round(from*1e3))), time.Duration(math.Round(lasts*1e3))*time.Millisecond
	one.SetTag(one.Tag)
	one.SetStartTimeMs(one.From.UnixMilli())
	one.SetEndTimeMs(one.From.Add(one.Lasts).UnixMilli())
	l.all = append(l.all, one)
	return nil
}

// secondsMost bounds a time in a log: some 300 years.
const secondsMost = 9e9

func parseSeconds(text string) (float64, error) {
	s, err := strconv.ParseFloat(text, 64)
	if err != nil || !(s >= 0 && s <= secondsMost) {
		return 0, fmt.Errorf("%q is no time in seconds", text)
	}
	return s, nil
}

var errHDR = errors.New("what should be a histogram is not one in the compressed V2 encoding")

// hdrCounts is how many counts an encoded histogram will have in memory, which
// its header decides and not its length.
func hdrCounts(text string) (int, error) {
	all, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(all) < 8 {
		return 0, errHDR
	}
	unzip, err := zlib.NewReader(bytes.NewReader(all[8:]))
	if err != nil {
		return 0, errHDR
	}
	var head [hdrHeadBytes]byte
	if _, err := io.ReadFull(unzip, head[:]); err != nil {
		return 0, errHDR
	}
	digits := binary.BigEndian.Uint32(head[12:])
	lowest, highest := int64(binary.BigEndian.Uint64(head[16:])), int64(binary.BigEndian.Uint64(head[24:]))
	if digits > 5 || lowest < 0 || highest < lowest {
		return 0, errHDR
	}
	steps := math.Exp2(math.Ceil(math.Log2(2 * math.Pow10(int(digits)))))
	octaves := max(1, math.Ceil(math.Log2(float64(highest)+1)-math.Log2(max(1, float64(lowest)))-math.Log2(steps))+2)
	return int(octaves+1) * int(steps) / 2, nil
}
