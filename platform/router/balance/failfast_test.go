package balance

import (
	"testing"
	"time"
)

func TestFailFast(t *testing.T) {
	c := FailFastConfig{}.WithDefaults()
	var f FailFast
	now := epoch
	if f.Skipped(now) {
		t.Error("skipped before it failed")
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 32, 32} {
		want *= time.Second
		f.Unreachable(now, c)
		f.Unreachable(now.Add(want/2), c) // begun before: the same failure
		if !f.Skipped(now.Add(want - time.Nanosecond)) {
			t.Errorf("tried again before %v", want)
		}
		if now = now.Add(want); f.Skipped(now) {
			t.Errorf("still skipped after %v", want)
		}
	}
	f.Unreachable(now, c)
	f.Reached()
	if f.Skipped(now) {
		t.Error("skipped although it took a connection")
	}
	f.Unreachable(now, c)
	if f.Skipped(now.Add(time.Second)) {
		t.Error("what was before the connection still counts")
	}
}

// However often it fails and whatever the configuration, a skip is never
// longer than the maximum nor shorter than the minimum.
func TestFailFastIsBounded(t *testing.T) {
	for _, c := range []FailFastConfig{{1, 1}, {1, 1 << 62}, {time.Hour, time.Hour}, {3, 10}} {
		var f FailFast
		now := epoch
		for range 100 {
			f.Unreachable(now, c)
			if skip := f.Until().Sub(now); skip < c.Min || skip > c.Max {
				t.Fatalf("%+v: skipped for %v", c, skip)
			}
			if f.until.Sub(epoch) > 1<<61 {
				break // no more centuries to count in
			}
			now = f.until
		}
	}
}
