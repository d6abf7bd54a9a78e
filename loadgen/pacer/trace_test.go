package pacer

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

func TestParseTrace(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		text string
		want []time.Duration
	}{
		"seconds":         {"0.001\n0.5\n12\n", []time.Duration{ms, 500 * ms, 12000 * ms}},
		"no last newline": {"0.001\n0.5", []time.Duration{ms, 500 * ms}},
		"Windows":         {"\ufeff0.001\r\n0.5\r\n", []time.Duration{ms, 500 * ms}},
		"CSV":             {"seconds,method\n0.001,GET\n\"0.5\",PUT\n", []time.Duration{ms, 500 * ms}},
		"other columns":   {"0.001;a\n0.5\tb\n", []time.Duration{ms, 500 * ms}},
		"comments":        {"# from the log of May\n\n0.001\n  # more\n 0.5 \n", []time.Duration{ms, 500 * ms}},
		"exponents":       {"1e-3\n5E-1\n", []time.Duration{ms, 500 * ms}},
		"at once":         {"0\n0\n0.001\n0.001\n0.001000001\n", []time.Duration{1, 2, ms, ms + 1, ms + 2}},
	} {
		got, err := ParseTrace("x", strings.NewReader(c.text))
		if err != nil || !slices.Equal(got.times, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got.times, err, c.want)
		}
	}
}

func TestParseTraceSaysWhatIsWrong(t *testing.T) {
	for want, text := range map[string]string{
		`trace x: no arrival in 0 lines`:                                                    "",
		`trace x: no arrival in 2 lines`:                                                    "seconds\n# none\n",
		`trace x: line 2: "soon" is not a time in seconds, such as 12.5`:                    "1\nsoon\n",
		`trace x: line 2: "also" is not a time`:                                             "heading\nalso\n",
		`trace x: line 3: "," is not a time`:                                                "1,a\n2,b\n ,c\n",
		`trace x: line 1: "-1" is not a time`:                                               "-1\n",
		`trace x: line 1: "NaN" is not a time`:                                              "NaN\n",
		`trace x: line 1: 1716200000.25 s is more than 30 days; times count from the start`: "1716200000.25\n",
		`trace x: line 4: 0.2 s comes after 0.3 s; times must be in order`:                  "\n0.1\n0.3\n0.2\n",
		`trace x: line 2 is longer than 65536 bytes`:                                        "1\n" + strings.Repeat("9", 70_000),
		`trace x: line 4: more than 3 arrivals`:                                             "1\n2\n3\n4\n5\n",
		`trace x: longer than 100000 bytes`:                                                 "1\n" + strings.Repeat("\n", 100_000),
	} {
		_, err := parseTrace("x", strings.NewReader(text), 3, 100_000)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	_, err := ParseTrace("x", io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(errors.New("the disk is gone"))))
	if err == nil || err.Error() != "trace x: line 2: the disk is gone" {
		t.Errorf("got %v", err)
	}
}

// TestATraceIsPlayedAsItWas: what was written is what arrives, in any seed's
// schedule, and another file gives another hash.
func TestATraceIsPlayedAsItWas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(rt, "n")
		times, at := make([]int64, n), int64(0)
		var file strings.Builder
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for i := range times {
			at += 1 + r.Int64N(30e6)
			times[i] = at
			fmt.Fprintf(&file, "%d.%09d\n", at/1e9, at%1e9)
		}
		trace, err := ParseTrace("x", strings.NewReader(file.String()))
		if err != nil {
			rt.Fatal(err)
		}
		if trace.Len() != n || trace.End() != time.Duration(at) {
			rt.Fatalf("%d arrivals up to %v, want %d up to %v", trace.Len(), trace.End(), n, time.Duration(at))
		}
		s := schedule(t, 1, trace, time.Duration(at)+1)
		if len(s.Arrivals) != n {
			rt.Fatalf("%d arrivals, want %d", len(s.Arrivals), n)
		}
		for i, a := range s.Arrivals {
			if int64(a.At) != times[i] {
				rt.Fatalf("arrival %d at %v, want %v", i, a.At, time.Duration(times[i]))
			}
		}
		hash := s.SHA256()
		if other := schedule(t, 2, trace, time.Duration(at)+1).SHA256(); other != hash {
			rt.Fatal("another seed gives another schedule")
		}
		trace.times = append(slices.Clone(trace.times[:n-1]), trace.times[n-1]-1)
		if schedule(t, 1, trace, time.Duration(at)+1).SHA256() == hash {
			rt.Fatal("a trace moved by a nanosecond gives the same hash")
		}
	})
}
