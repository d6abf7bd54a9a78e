package balance

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the order of requests and failures, the retries granted within any
// window stay within the budget, as a plain count over the window's slots has
// it; and no request gets more than its maximum.
func TestTokenBudgetIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := BudgetConfig{
			Max:     rapid.IntRange(1, 4).Draw(t, "max"),
			Ratio:   float64(rapid.IntRange(0, 100).Draw(t, "percent")) / 100,
			MinPerS: float64(rapid.IntRange(0, 10).Draw(t, "min")),
			Window:  BudgetWindow,
		}
		b, err := NewBudget("budget", c)
		if err != nil {
			t.Fatal(err)
		}
		const slots = 10 // of a window
		slot := int64(c.Window / slots)
		var requests, granted []int64 // the slot of each
		count := func(in []int64, last int64) (n int) {
			for _, s := range in {
				if s > last-slots && s <= last {
					n++
				}
			}
			return n
		}
		now := epoch
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond)
			at := now.UnixNano() / slot
			if rapid.Bool().Draw(t, "request") {
				b.Request(now)
				requests = append(requests, at)
				continue
			}
			retried := rapid.IntRange(0, 5).Draw(t, "retried")
			want := retried < c.Max &&
				float64(count(granted, at)+1) <= c.Ratio*float64(count(requests, at))+c.MinPerS*c.Window.Seconds()
			if got := b.Retry(now, retried); got != want {
				t.Fatalf("retry granted %v, want %v", got, want)
			}
			if want {
				granted = append(granted, at)
			}
		}
	})
}

func TestTokenBudgetFloorAndShare(t *testing.T) {
	b := newTokenBudget(BudgetConfig{Max: 100, Ratio: 0.2, MinPerS: 10, Window: 10 * time.Second})
	drain := func(now time.Time) (n int) {
		for b.Retry(now, 0) {
			n++
		}
		return n
	}
	if got := drain(epoch); got != 100 {
		t.Errorf("%d retries with no requests, want the floor of 10/s over 10 s", got)
	}
	for range 1000 {
		b.Request(epoch)
	}
	if got := drain(epoch); got != 200 {
		t.Errorf("%d retries for 1000 requests, want 20 %%", got)
	}
	if got := drain(epoch.Add(9 * time.Second)); got != 0 {
		t.Errorf("%d retries before the window has passed", got)
	}
	if got := drain(epoch.Add(10 * time.Second)); got != 100 {
		t.Errorf("%d retries in a new window", got)
	}
}

func TestSimpleBudgets(t *testing.T) {
	for _, c := range []struct {
		kind string
		want int
	}{{BudgetNone, 0}, {"naive", NaiveRetries}} {
		b, err := NewBudget(c.kind, BudgetConfig{Max: NaiveRetries})
		if err != nil {
			t.Fatal(err)
		}
		// A thousand requests that all fail: naive multiplies the load.
		for range 1000 {
			b.Request(epoch)
			n := 0
			for b.Retry(epoch, n) {
				n++
			}
			if n != c.want {
				t.Fatalf("%s: %d retries, want %d", c.kind, n, c.want)
			}
		}
	}
}
