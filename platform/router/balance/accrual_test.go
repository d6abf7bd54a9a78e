package balance

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The backoff of the n-th death lies between the half and the whole of what
// doubles each time, and never beyond the maximum.
func TestAccrualBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := AccrualConfig{
			BackoffMin: time.Duration(rapid.IntRange(1, 10_000).Draw(t, "min")) * time.Millisecond,
		}
		c.BackoffMax = c.BackoffMin * time.Duration(rapid.IntRange(1, 100).Draw(t, "factor"))
		a := NewAccrual(c)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		low := c.BackoffMin
		for n := 1; n <= 80; n++ {
			got := a.backoff(rng, n)
			if got < min(low, c.BackoffMax) || got > min(2*low, c.BackoffMax) {
				t.Fatalf("death %d lasts %v, want %v to %v, at most %v", n, got, low, 2*low, c.BackoffMax)
			}
			if n > 1 && low < c.BackoffMax {
				low *= 2
			}
		}
	})
}

// Whatever happens: nobody is out for longer than the longest backoff unless
// a request is under way on it; and one that is on trial has exactly one.
func TestAccrualAlwaysLetsOneTry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := AccrualConfig{}.WithDefaults()
		a := NewAccrual(c)
		rng := rand.New(rand.NewPCG(1, 1))
		endpoints := testEndpoints(2)
		underWay := map[string]int{}
		now := epoch
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			id := endpoints[rapid.IntRange(0, 1).Draw(t, "i")].ID
			if underWay[id] == 0 || rapid.Bool().Draw(t, "send") {
				a.Sent(now, id)
				underWay[id]++
				continue
			}
			a.Done(now, rng, id, Verdict(rapid.IntRange(int(Fine), int(Neither)).Draw(t, "verdict")))
			underWay[id]--
			dead := false
			for _, e := range a.record {
				dead = dead || e.dead
			}
			if a.AnyDead() != dead {
				t.Fatalf("any dead: %v, want %v", a.AnyDead(), dead)
			}
		}
		later := now.Add(c.BackoffMax)
		for i := range endpoints {
			endpoints[i].Healthy = true
		}
		a.Mark(later, endpoints)
		for _, e := range endpoints {
			if !e.Healthy && underWay[e.ID] == 0 {
				t.Fatalf("%s is out at %v with nothing under way", e.ID, later.Sub(epoch))
			}
		}
	})
}

func TestAccrualForgets(t *testing.T) {
	a := NewAccrual(AccrualConfig{Consecutive: 1}.WithDefaults())
	rng := rand.New(rand.NewPCG(1, 1))
	a.Sent(epoch, "a")
	a.Sent(epoch, "a")
	if !a.Done(epoch, rng, "a", Faulty) {
		t.Error("not dead after the one failure it may have")
	}
	a.Forget("a")
	if a.AnyDead() {
		t.Error("one that has left is still dead")
	}
	if a.Done(epoch, rng, "a", Faulty) || len(a.record) != 0 {
		t.Error("an attempt that outlives its endpoint brings it back")
	}
}
