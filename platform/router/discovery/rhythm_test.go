package discovery

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRhythmIsOfTheUsual: a source that keeps its rhythm, more or less, with a
// disturbance now and then, is given three of its intervals; and whatever it
// does, neither less than heartbeatSilence nor for ever.
func TestRhythmIsOfTheUsual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, time.Minute}).Draw(t, "interval")
		expected := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute}).Draw(t, "expected")
		r := newRhythm(expected)
		now := time.Unix(1_509_113_400, 0)
		since := 0 // regular intervals since the last disturbance
		for range rapid.IntRange(1, 40).Draw(t, "bookmarks") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0: // the connection, or whoever holds the clock, stands still
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "gap")))
				r.beat(now)
				since = 0
			case 1: // another session
				r.pause()
			default:
				gap := interval + time.Duration(rapid.Int64Range(-400, 400).Draw(t, "jitter"))*time.Millisecond
				now = now.Add(gap)
				if !r.last.IsZero() {
					since++
				}
				r.beat(now)
			}
			if s := r.silence(); s < heartbeatSilence || s > silentIntervals*rhythmSlowest {
				t.Fatalf("%v of silence", s)
			}
			if r.redial() < redialAfter || r.redial() < r.silence() {
				t.Fatalf("dialled again after %v, silent after %v", r.redial(), r.silence())
			}
			if since >= 3 && r.usual != interval {
				t.Fatalf("usually %v, after %d intervals of %v: %v", r.usual, since, interval, r.gaps)
			}
		}
	})
}

// TestRhythmOfOurs: against breakbank's own API servers everything is as the
// constants say, and a darkness that ends changes nothing.
func TestRhythmOfOurs(t *testing.T) {
	r := newRhythm(0)
	now := time.Unix(1_509_113_400, 0)
	for i := range 100 {
		if i%5 == 4 {
			now = now.Add(time.Minute)
		}
		now = now.Add(time.Second)
		r.beat(now)
		if r.silence() != heartbeatSilence || r.redial() != redialAfter || r.overdue() != 1500*time.Millisecond {
			t.Fatalf("after %d bookmarks: silent after %v, dialled again after %v, overdue after %v", i, r.silence(), r.redial(), r.overdue())
		}
	}
}
