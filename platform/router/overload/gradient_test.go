package overload

import (
	"testing"
	"time"
)

// felt plays so many windows of a second in which all places are used and
// every request takes as long and ends so. It returns the limit after each.
func felt(g *gradient, from time.Time, windows int, took time.Duration, o Outcome) (limits []int, now time.Time) {
	now = from
	for range windows {
		admitted := 0
		for g.Admit(now, nil, Critical) {
			admitted++
		}
		now = now.Add(gradientWindow)
		for range admitted {
			g.Done(now, took, o)
		}
		// The first end after a window closes it; the others began the next.
		limits = append(limits, int(g.limit))
	}
	return limits, now
}

func TestGradientFollowsLatency(t *testing.T) {
	g := newGradient(ConcurrencyConfig{}.WithDefaults())
	limits, now := felt(g, epoch, 300, 10*time.Millisecond, Answered)
	if last := limits[len(limits)-1]; last != ConcurrencyMax {
		t.Errorf("with steady latency the limit is %d after 300 windows, want %d", last, ConcurrencyMax)
	}
	for i := 1; i < len(limits); i++ {
		if limits[i] < limits[i-1] {
			t.Errorf("with steady latency the limit fell from %d to %d", limits[i-1], limits[i])
		}
	}
	limits, now = felt(g, now, 60, 100*time.Millisecond, Answered)
	if last := limits[len(limits)-1]; last > 2*ConcurrencyMin {
		t.Errorf("with ten times the latency the limit is %d after 60 windows", last)
	}
	limits, _ = felt(g, now, 300, 10*time.Millisecond, Answered)
	if last := limits[len(limits)-1]; last != ConcurrencyMax {
		t.Errorf("with the latency back to normal the limit is %d after 300 windows", last)
	}
}

// A limit that is not felt is not raised: nothing shows that it could be.
func TestGradientDoesNotGrowUnfelt(t *testing.T) {
	g := newGradient(ConcurrencyConfig{}.WithDefaults())
	now := epoch
	for range 100_000 {
		g.Admit(now, nil, Critical)
		now = now.Add(10 * time.Millisecond)
		g.Done(now, 10*time.Millisecond, Answered)
	}
	if int(g.limit) != ConcurrencyInitial {
		t.Errorf("the limit is %d with one request at a time", int(g.limit))
	}
}

func TestGradientAndFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		took time.Duration
		o    Outcome
		want func(limit int) bool
	}{
		{"fast failures show no spare places", time.Millisecond, Failed, func(l int) bool { return l == 100 }},
		{"time-outs show that it is slow", time.Second, Failed, func(l int) bool { return l < 50 }},
		{"what says nothing changes nothing", time.Second, Ignored, func(l int) bool { return l == 100 }},
		{"nor does a stream", 0, Answered, func(l int) bool { return l == 100 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGradient(ConcurrencyConfig{}.WithDefaults())
			_, now := felt(g, epoch, 20, 10*time.Millisecond, Answered)
			g.limit, g.sum, g.samples = 100, 0, 0
			limits, _ := felt(g, now, 30, c.took, c.o)
			if last := limits[len(limits)-1]; !c.want(last) {
				t.Errorf("the limit went from 100 to %d", last)
			}
		})
	}
}
