package overload

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever happens, each request gets one answer: it goes on or is refused at
// once, or it waits, no longer than it was told to nor in a longer queue than
// there may be, and then goes on, is refused, or leaves.
func TestEveryRequestIsAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Concurrency: &ConcurrencyConfig{Max: rapid.IntRange(1, 4).Draw(t, "places")},
			Queue:       &QueueConfig{Max: rapid.IntRange(1, 8).Draw(t, "longest")},
		}
		if rapid.Bool().Draw(t, "criticality") {
			c.Criticality = &CriticalityConfig{}
		}
		c = c.WithDefaults()
		d := NewDoor[int](c)
		rng := rand.New(rand.NewPCG(1, 1))
		now, underWay := epoch, 0
		waiting := map[int]time.Time{}
		for i := range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				level := Criticality(rapid.IntRange(int(Sheddable), int(CriticalPlus)).Draw(t, "level"))
				switch a := d.Arrive(now, rng, level, i); {
				case a.Admitted:
					underWay++
				case a.Waiting:
					waiting[i] = a.Until
					if wait := a.Until.Sub(now); wait != c.Queue.Interval && wait != c.Queue.Target {
						t.Fatalf("may wait for %v", wait)
					}
				case a.Reason == "":
					t.Fatal("refused without a reason")
				}
			case 2, 3:
				if underWay > 0 {
					underWay--
					d.Done(now, time.Millisecond, Answered)
				}
				for {
					turn, ok := d.Next(now, rng)
					if !ok {
						break
					}
					until, known := waiting[turn.Who]
					if !known {
						t.Fatalf("%d has its turn and does not wait", turn.Who)
					}
					delete(waiting, turn.Who)
					if late := !now.Before(until); late == turn.Admitted {
						t.Fatalf("admitted %v, at %v of its time", turn.Admitted, now.Sub(until))
					}
					if turn.Admitted {
						underWay++
					}
				}
				if underWay == 0 && d.Waiting() > 0 {
					t.Fatalf("%d wait and nothing is under way", d.Waiting())
				}
			case 4:
				_, waits := waiting[i/2]
				if d.Leave(now, i/2) != waits {
					t.Fatalf("%d leaves: %v", i/2, !waits)
				}
				delete(waiting, i/2)
			}
			if d.Waiting() != len(waiting) || len(waiting) > c.Queue.Max {
				t.Fatalf("%d wait, want %d, at most %d", d.Waiting(), len(waiting), c.Queue.Max)
			}
			if underWay > c.Concurrency.Max {
				t.Fatalf("%d under way, at most %d", underWay, c.Concurrency.Max)
			}
		}
	})
}
