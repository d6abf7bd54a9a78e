package nullserver

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

func TestStall(t *testing.T) {
	b := Stall(time.Second, 10*time.Second)
	for at, want := range map[time.Duration]time.Duration{
		0:                        0,
		8999 * time.Millisecond:  0,
		9 * time.Second:          time.Second,
		9250 * time.Millisecond:  750 * time.Millisecond,
		10*time.Second - 1:       1,
		10 * time.Second:         0,
		19500 * time.Millisecond: 500 * time.Millisecond,
		-250 * time.Millisecond:  250 * time.Millisecond, // before the zero of the clock
		-2 * time.Second:         0,
	} {
		if got := b(7, at); got != (Answer{Takes: want}) {
			t.Errorf("at %v: %+v, want %v", at, got, want)
		}
	}
}

func TestSharesAreExactAndEven(t *testing.T) {
	for _, c := range []struct {
		share Share
		every int64 // of which calls in a row, how many
		has   int64
	}{{Percent, 100, 1}, {10 * Percent, 10, 1}, {Percent / 10, 1000, 1}, {33 * Percent, 100, 33}, {Whole, 1, 1}} {
		for from := range 3 * c.every {
			has := int64(0)
			for n := from; n < from+c.every; n++ {
				if c.share.has(n) {
					has++
				}
			}
			if has != c.has {
				t.Fatalf("%d millionths: %d of the %d calls from %d on, want %d", c.share, has, c.every, from, c.has)
			}
		}
	}
	if !Percent.has(99) || Percent.has(0) || Percent.has(100) {
		t.Error("one percent is not every hundredth")
	}
}

// TestTruth works an example out by hand: a call each 10 ms for 10 s, and a stall
// of 1 s in each 10, in which 100 calls wait for 1000, 990, ... 10 ms.
func TestTruth(t *testing.T) {
	every10ms := make([]time.Duration, 1000)
	for i := range every10ms {
		every10ms[i] = time.Duration(i) * 10 * time.Millisecond
	}
	d := Times(Stall(time.Second, 10*time.Second).Truth(every10ms, 0))
	for _, c := range []struct {
		q       float64
		ms      time.Duration
		decides bool
	}{
		{0.5, 0, false},
		{0.9, 0, false},     // the last that does not wait
		{0.91, 100, false},  // a call more or less is 10 ms, more than a hundredth
		{0.99, 900, false},  // two calls are still 2.2 %
		{0.999, 990, false}, // and here
		{1, 1000, false},
	} {
		if got := d.At(c.q); got != c.ms*time.Millisecond || d.Decides(c.q) != c.decides {
			t.Errorf("q %v: %v, decides %v; want %d ms, %v", c.q, got, d.Decides(c.q), c.ms, c.decides)
		}
	}
	for _, c := range []struct {
		start time.Duration
		waits int
	}{{0, 100}, {5 * time.Second, 100}, {9500 * time.Millisecond, 100}} {
		waits := 0
		for _, a := range Stall(time.Second, 10*time.Second).Truth(every10ms, c.start) {
			if a.Takes > 0 {
				waits++
			}
		}
		if waits != c.waits {
			t.Errorf("from %v: %d wait, want %d", c.start, waits, c.waits)
		}
	}
}

func TestWhatATruthDecides(t *testing.T) {
	every := func(gap time.Duration, n int) []time.Duration {
		times := make([]time.Duration, n)
		for i := range times {
			times[i] = time.Duration(i) * gap
		}
		return times
	}
	stall := Times(Stall(time.Second, 10*time.Second).Truth(every(time.Millisecond, 10_000), 0))
	two := Times(Bimodal(200*time.Millisecond, 800*time.Millisecond, 10*Percent).Truth(every(time.Millisecond, 1000), 0))
	for _, c := range []struct {
		name    string
		of      Distribution
		q       float64
		decides bool
	}{
		{"nobody waits below the stall's share", stall, 0.5, false},
		{"the edge of the stall", stall, 0.9, false},
		{"well inside the stall", stall, 0.95, true},
		{"the stall's p99", stall, 0.99, true},
		{"the stall's p99.9", stall, 0.999, true},
		{"one mode", two, 0.5, true},
		{"between the modes", two, 0.9, false},
		{"the other mode", two, 0.99, true},
		{"of as many calls", two, 0.999, true},
		{"of too few calls", two[:999], 0.999, false},
		{"of none", nil, 0.5, false},
	} {
		if got := c.of.Decides(c.q); got != c.decides {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if p50, p99 := two.At(0.5), two.At(0.99); p50 != 200*time.Millisecond || p99 != 800*time.Millisecond {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
}

func TestFailing(t *testing.T) {
	answers := Failing(Percent, codes.Aborted).Truth(make([]time.Duration, 1000), 0)
	if got := Failures(answers); got != 10 {
		t.Errorf("%d of 1000 fail, want 10", got)
	}
	if answers[99].Code != codes.Aborted || answers[98].Code != codes.OK {
		t.Errorf("%+v, %+v", answers[98], answers[99])
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Answer{
		"stall:1s/10s":            {Takes: 500 * time.Millisecond},
		"bimodal:200ms/800ms/10%": {Takes: 800 * time.Millisecond},
		"fail:1%":                 {Code: codes.Unavailable},
		"fail:0.5%":               {Code: codes.OK},
	} {
		b, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := b(99, 9500*time.Millisecond); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	if b, err := Parse(""); b != nil || err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"sleep:1s", "stall", "stall:1s", "stall:10s/1s", "stall:1s/1s", "stall:0s/1s", "stall:-1s/1s", "stall:1s/2s/3s",
		"stall:1/10", "stall:1s/2h", "bimodal:1ms/2ms", "bimodal:1ms/2ms/10", "bimodal:1ms/2ms/0%", "bimodal:x/2ms/10%", "fail:101%",
		"fail:-1%", "fail:NaN%", "fail:one", "fail:1e-9%",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
