package recording_test

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/recording"

	"github.com/HdrHistogram/hdrhistogram-go"
)

var origin = time.Date(2017, 10, 27, 12, 55, 0, 250e6, time.UTC)

func TestHLogOfRecordsIsReadByTheLibrary(t *testing.T) {
	all := []loadgen.Record{record(0, 100, 150, loadgen.OK), record(1, 1900, 2500, loadgen.Failed), dropped(2, 950), record(3, 1950, 2500, loadgen.OK)}
	ofJourney(&all[1], 1)
	all[3].Retry = 1
	var file bytes.Buffer
	if err := recording.WriteHLog(&file, all, recording.Response, origin, time.Second, journeys); err != nil {
		t.Fatal(err)
	}
	reader := hdrhistogram.NewHistogramLogReader(&file)
	for _, want := range []struct {
		tag        string
		startMs, v int64
	}{
		{"card_tap", origin.UnixMilli(), 50 * ms},
		{"app_refresh", origin.UnixMilli() + 1000, 600 * ms},
	} {
		h, err := reader.NextIntervalHistogram()
		if err != nil || h == nil {
			t.Fatalf("%s: %v, %v", want.tag, h, err)
		}
		if h.Tag() != want.tag || h.TotalCount() != 1 || h.StartTimeMs() != want.startMs || !h.ValuesAreEquivalent(h.Max(), want.v) {
			t.Errorf("got %s of %d, from %d, max %d; want %+v", h.Tag(), h.TotalCount(), h.StartTimeMs(), h.Max(), want)
		}
	}
	if h, _ := reader.NextIntervalHistogram(); h != nil {
		t.Errorf("a third histogram: %s", h.Tag())
	}
	if err := recording.WriteHLog(&file, all, recording.Service, origin, 0, journeys); err == nil {
		t.Error("an interval of 0 was taken")
	}
}

// logged is a run of so many seconds, at 50 a second, of all journeys in turn.
func logged(seconds int) *recording.Snapshot {
	r := newRecorder()
	for i := range 50 * seconds {
		at := int64(i) * 20
		one := record(i, at, at+2+int64(i*i%977), loadgen.OK)
		ofJourney(&one, i%len(journeys))
		r.Record(&one)
	}
	return r.Snapshot()
}

// The format of the lines, from HistogramLogWriter and HistogramLogReader of
// HdrHistogram: three comments, the tag, times in seconds, the highest value in
// milliseconds, and V2's compressed cookie in base64.
var hlogFormat = []*regexp.Regexp{
	regexp.MustCompile(`^#\[Histogram log format version 1\.3\]$`),
	regexp.MustCompile(`^#\[StartTime: \d+\.\d{3} \(seconds since epoch\), .+\]$`),
	regexp.MustCompile(`^"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"$`),
	regexp.MustCompile(`^Tag=[^, ]+,\d+\.\d{3},\d+\.\d{3},\d+\.\d{3},HISTFAAA[A-Za-z0-9+/]+=*$`),
}

func TestHLogOfASnapshot(t *testing.T) {
	for _, c := range []struct{ seconds, intervals, first, last int }{
		{7, 7, 1, 1},
		{60, 60, 1, 1},
		{90, 64, 2, 1},
		{300, 64, 8, 4},
	} {
		s := logged(c.seconds)
		for _, clock := range recording.Clocks {
			var file bytes.Buffer
			if err := s.WriteHLog(&file, clock, origin); err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(strings.TrimSuffix(file.String(), "\n"), "\n") {
				if want := hlogFormat[min(i, len(hlogFormat)-1)]; !want.MatchString(line) {
					t.Fatalf("line %d is %q", i+1, line)
				}
			}
			checkByTheLibrary(t, s, clock, file.Bytes())

			all, err := recording.ReadHLog(&file)
			if err != nil {
				t.Fatal(err)
			}
			first, last := all[0], all[len(all)-1]
			if len(all) < (c.intervals-2)*len(journeys) || len(all) > c.intervals*len(journeys) || !first.From.Equal(origin) ||
				first.Lasts != time.Duration(c.first)*time.Second || last.Lasts > time.Duration(c.last)*time.Second ||
				first.Tag != "card_tap" || first.Histogram.Tag() != "card_tap" || first.StartTimeMs() != origin.UnixMilli() {
				t.Errorf("%d s: %d histograms from %v, the first of %v, the last of %v", c.seconds, len(all), first.From, first.Lasts, last.Lasts)
			}
			sums := map[string]*hdrhistogram.Histogram{}
			end := origin
			for _, one := range all {
				if sums[one.Tag] == nil {
					sums[one.Tag] = s.Histogram(clock, 0)
					sums[one.Tag].Reset()
				}
				sums[one.Tag].Merge(one.Histogram)
				if one.From.Before(end) {
					end = one.From
				}
			}
			for j, name := range journeys {
				if !sums[name].Equals(s.Histogram(clock, loadgen.Journey(j))) {
					t.Errorf("%d s, %v: the intervals of %s are not the whole", c.seconds, clock, name)
				}
			}
		}
	}
}

// checkByTheLibrary reads a log with HdrHistogram's own reader.
func checkByTheLibrary(t *testing.T, s *recording.Snapshot, c recording.Clock, file []byte) {
	t.Helper()
	sum := s.Overall(c)
	sum.Reset()
	reader := hdrhistogram.NewHistogramLogReader(bytes.NewReader(file))
	for {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		sum.Merge(h)
	}
	if !sum.Equals(s.Overall(c)) {
		t.Errorf("%v: the library reads %d values of %d", c, sum.TotalCount(), s.Overall(c).TotalCount())
	}
}

func TestReadHLogOfOthers(t *testing.T) {
	for name, base := range map[string]bool{"a base time": true, "times since the start": false} {
		var file bytes.Buffer
		w := hdrhistogram.NewHistogramLogWriter(&file)
		h := hdrhistogram.New(1, 3_600_000_000, 2)
		h.SetStartTimeMs(1_500)
		h.SetEndTimeMs(2_500)
		for i := range int64(100) {
			if err := h.RecordValue(i * 1000); err != nil {
				t.Fatal(err)
			}
		}
		start := origin.Truncate(time.Second)
		err := errors.Join(w.OutputComment("[Logged by others]"), w.OutputStartTime(start.UnixMilli()))
		if base {
			err = errors.Join(err, w.OutputBaseTime(start.UnixMilli()))
		}
		if err := errors.Join(err, w.OutputLegend(), w.OutputIntervalHistogram(h)); err != nil {
			t.Fatal(err)
		}
		all, err := recording.ReadHLog(strings.NewReader(strings.ReplaceAll(file.String(), "\n", "\r\n")))
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %d histograms (%v)", name, len(all), err)
		}
		if one := all[0]; one.Tag != "" || !one.Equals(h) || !one.From.Equal(start.Add(1500*time.Millisecond)) || one.Lasts != time.Second {
			t.Errorf("%s: %d values from %v, of %v", name, one.TotalCount(), one.From, one.Lasts)
		}
	}
}

func TestBrokenLogsAreRefused(t *testing.T) {
	var file bytes.Buffer
	if err := logged(2).WriteHLog(&file, recording.Response, origin); err != nil {
		t.Fatal(err)
	}
	good := file.String()
	line := strings.Split(good, "\n")[3]
	fields := strings.Split(line, ",")
	wide := hdrhistogram.New(1, 1<<62, 5)
	wideText, err := wide.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no fields":              "hello\n",
		"a time that is none":    strings.Replace(good, fields[1], "NaN", 1),
		"a time beyond reason":   strings.Replace(good, fields[1], "1e300", 1),
		"a negative length":      strings.Replace(good, ","+fields[2]+",", ",-1,", 1),
		"a start without a time": "#[StartTime:\n",
		"no base64":              strings.Replace(good, "HISTFAAA", "HIST!AAA", 1),
		"another encoding":       strings.Replace(good, "HISTFAAA", "HISTEAAA", 1),
		"cut short":              good[:len(good)-20],
		"an endless line":        "Tag=" + strings.Repeat("a", 2<<20),
		"too much in all":        strings.Repeat(fmt.Sprintf("0.0,1.0,1.0,%s\n", wideText), 20),
	} {
		if _, err := recording.ReadHLog(strings.NewReader(text)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// full is a file on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWritersSayThatTheyFailed(t *testing.T) {
	s := logged(2)
	if err := s.WriteHLog(full{}, recording.Service, origin); err == nil || !strings.Contains(err.Error(), "service.hlog") {
		t.Errorf("log: %v", err)
	}
	if err := s.WriteSeries(full{}); err == nil {
		t.Error("series: no error")
	}
}

func TestTagsHaveNoCommas(t *testing.T) {
	r := recording.NewRecorder(recording.Options{Journeys: []string{"pay, then look"}})
	one := record(0, 0, 5, loadgen.OK)
	r.Record(&one)
	var file bytes.Buffer
	if err := r.Snapshot().WriteHLog(&file, recording.Response, origin); err != nil {
		t.Fatal(err)
	}
	all, err := recording.ReadHLog(&file)
	if err != nil || len(all) != 1 || all[0].Tag != "pay__then_look" {
		t.Errorf("%+v (%v)", all, err)
	}
}

func FuzzReadHLog(f *testing.F) {
	var file bytes.Buffer
	if err := logged(2).WriteHLog(&file, recording.Response, origin); err != nil {
		f.Fatal(err)
	}
	f.Add(file.String())
	f.Add("#[StartTime: 1.5 (seconds since epoch), x]\nTag=a,0.1,1.0,2.0,HISTFAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := recording.ReadHLog(strings.NewReader(text))
		if err != nil && all != nil {
			t.Error("an error, and histograms")
		}
		for _, one := range all {
			one.ValueAtQuantile(99)
		}
	})
}
