package balance

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHedgingWaitsForAPercentile(t *testing.T) {
	h := NewHedger(HedgeConfig{}.WithDefaults())
	now := epoch
	// Latencies of 1 to 20 ms: the 95th percentile is 19 ms.
	for ms := 1; ms <= 20; ms++ {
		if _, ok := h.Request(now, true); ok {
			t.Fatalf("a delay from %d latencies: no 95th percentile can be told", ms-1)
		}
		h.Took(now, time.Duration(ms)*time.Millisecond)
		now = now.Add(hedgeRefresh)
	}
	delay, ok := h.Request(now, true)
	if !ok || delay < 19*time.Millisecond || delay > 22*time.Millisecond {
		t.Errorf("delay %v, %v, want 19 ms or a little more", delay, ok)
	}
	if _, ok := h.Request(now, false); ok {
		t.Error("a request that must not be executed twice would be")
	}
	// In quiet, what is known grows too old to be used.
	if _, ok := h.Request(now.Add(time.Minute), true); ok {
		t.Error("a delay from latencies a minute old")
	}
}

func TestHedgingHasAFloor(t *testing.T) {
	h := NewHedger(HedgeConfig{MinDelay: 5 * time.Millisecond}.WithDefaults())
	for range 100 {
		h.Took(epoch, 10*time.Microsecond)
	}
	if delay, ok := h.Request(epoch, true); !ok || delay != 5*time.Millisecond {
		t.Errorf("delay %v, %v", delay, ok)
	}
}

// Even when every request is slow, second ones stay within the budget at all
// times, and a service that is nearly idle has none.
func TestHedgesStayWithinTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := HedgeConfig{MaxExtra: float64(rapid.IntRange(1, 100).Draw(t, "percent")) / 100}.WithDefaults()
		h := NewHedger(c)
		now := epoch
		requests, hedges := 0, 0
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			// All of it inside one window, so that plain counts are the bound.
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 3).Draw(t, "kind") > 0 {
				h.Request(now, true)
				requests++
				continue
			}
			want := float64(hedges+1) <= c.MaxExtra*float64(requests)
			if got := h.Hedge(now); got != want {
				t.Fatalf("hedge %d of %d requests: %v, want %v", hedges+1, requests, got, want)
			}
			if want {
				hedges++
			}
		}
	})
}
