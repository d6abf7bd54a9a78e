package window

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2017, 10, 27, 14, 0, 0, 0, time.UTC)

// Counts are a plain count over the slots of the window, at any time of
// history.
func TestCountsArePlainCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := 10 * time.Second
		c := NewCounts(window)
		now := rapid.SampledFrom([]time.Time{epoch, time.Unix(0, 0), time.Unix(-3, 7)}).Draw(t, "start")
		type noted struct {
			slot      int64
			good, bad int
		}
		var all []noted
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			slot := int64(math.Floor(float64(now.UnixNano()) / float64(time.Second)))
			n := noted{slot, rapid.IntRange(0, 3).Draw(t, "good"), rapid.IntRange(0, 3).Draw(t, "bad")}
			all = append(all, n)
			c.Add(now, n.good, n.bad)
			wantGood, wantBad := 0, 0
			for _, n := range all {
				if n.slot > slot-countSlots {
					wantGood += n.good
					wantBad += n.bad
				}
			}
			if good, bad := c.Sum(now); good != wantGood || bad != wantBad {
				t.Fatalf("%d good, %d bad, want %d and %d", good, bad, wantGood, wantBad)
			}
		}
		if good, bad := c.Sum(now.Add(window)); good != 0 || bad != 0 {
			t.Fatalf("%d good, %d bad a window later", good, bad)
		}
	})
}

// The estimate is never below the true percentile, and above it by no more
// than a bucket is wide.
func TestPercentileIsABucketTooHighAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Latencies
		all := rapid.SliceOfN(rapid.Int64Range(0, int64(100*time.Second)), 1, 300).Draw(t, "latencies")
		for _, ns := range all {
			l.Add(epoch, time.Duration(ns))
		}
		slices.Sort(all)
		p := float64(rapid.IntRange(1, 100).Draw(t, "percent")) / 100
		truth := time.Duration(all[max(0, int(math.Ceil(p*float64(len(all))))-1)])
		got, samples := l.Percentile(epoch, p)
		if samples != len(all) {
			t.Fatalf("%d samples of %d", samples, len(all))
		}
		if got < truth || got > truth+truth/perOctave+time.Microsecond {
			t.Fatalf("p%.0f is %v, estimated %v", 100*p, truth, got)
		}
	})
}

func TestPercentileForgets(t *testing.T) {
	var l Latencies
	if got, n := l.Percentile(epoch, 0.95); got != 0 || n != 0 {
		t.Errorf("%v of %d samples before any", got, n)
	}
	l.Add(epoch, time.Hour) // beyond the last bucket
	if got, _ := l.Percentile(epoch, 1); got < 2*time.Minute {
		t.Errorf("an hour counts as %v", got)
	}
	for s := range 40 {
		l.Add(epoch.Add(time.Duration(s)*time.Second), time.Millisecond)
	}
	if got, _ := l.Percentile(epoch.Add(40*time.Second), 1); got > 2*time.Millisecond {
		t.Errorf("the hour is remembered for more than the window: %v", got)
	}
	if _, n := l.Percentile(epoch.Add(2*time.Minute), 1); n != 0 {
		t.Errorf("%d samples long after the last", n)
	}
}

func TestFastest(t *testing.T) {
	var f Fastest
	if _, known := f.Get(epoch); known {
		t.Error("known before anything was noted")
	}
	f.Add(epoch, 3*time.Millisecond)
	f.Add(epoch, 5*time.Millisecond)
	f.Add(epoch.Add(15*time.Second), 4*time.Millisecond)
	for _, c := range []struct {
		after time.Duration
		want  time.Duration
		known bool
	}{
		{15 * time.Second, 3 * time.Millisecond, true},
		{35 * time.Second, 4 * time.Millisecond, true},
		{time.Minute, 0, false},
	} {
		if got, known := f.Get(epoch.Add(c.after)); got != c.want || known != c.known {
			t.Errorf("after %v: %v, %v, want %v, %v", c.after, got, known, c.want, c.known)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	c := NewCounts(10 * time.Second)
	var (
		l   Latencies
		f   Fastest
		now = epoch
	)
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(7 * time.Millisecond)
		c.Add(now, 1, 0)
		c.Sum(now)
		l.Add(now, time.Millisecond)
		l.Percentile(now, 0.95)
		f.Add(now, time.Millisecond)
		f.Get(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
