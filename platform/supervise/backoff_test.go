package supervise

import (
	"testing"
	"time"
)

func TestTheWaitGrowsAndIsForgotten(t *testing.T) {
	var b backoff
	for n, c := range []struct {
		lived, want time.Duration
	}{
		{0, 100 * time.Millisecond},
		{time.Second, 200 * time.Millisecond},
		{0, 400 * time.Millisecond},
		{0, 800 * time.Millisecond},
		{settledAfter - 1, 1600 * time.Millisecond},
		{0, 2 * time.Second},
		{0, 2 * time.Second},
		{settledAfter, 100 * time.Millisecond},
		{0, 200 * time.Millisecond},
	} {
		if got := b.ended(c.lived); got != c.want {
			t.Errorf("end %d, after %v: it waits for %v, want %v", n+1, c.lived, got, c.want)
		}
	}
	b.forget()
	if got := b.ended(0); got != waitMin {
		t.Errorf("afresh it waits for %v", got)
	}
	for range 1000 { // Nothing overflows.
		if got := b.ended(0); got > waitMax {
			t.Fatalf("it waits for %v", got)
		}
	}
}

func TestACrashLoopEndsOnceThePartHasSettled(t *testing.T) {
	for _, c := range []struct {
		early int
		runs  time.Duration
		loop  bool
	}{
		{loopFrom - 1, 0, false},
		{loopFrom, 0, true},
		{loopFrom, settledAfter - 1, true},
		{loopFrom, settledAfter, false},
	} {
		if got := crashLoop(c.early, c.runs); (got != "") != c.loop {
			t.Errorf("%d early ends, %v of life: %q", c.early, c.runs, got)
		}
	}
}
