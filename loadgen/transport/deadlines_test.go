package transport

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestDeadlinesFindWhatIsLate adds calls with any patience, ends some, uses some
// again, and looks from time to time: what is told late is what is late and
// still under way, each once, whatever the order of the deadlines.
func TestDeadlinesFindWhatIsLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDeadlines()
		start := time.Unix(1000, 0)
		now := start
		type use struct {
			call *Call
			use  uint64
		}
		waiting := map[use]time.Time{}
		var calls []*Call
		steps := rapid.IntRange(1, 300).Draw(t, "steps")
		for range steps {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1: // a new call
				c := &Call{use: 1}
				calls = append(calls, c)
				at := now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "patience")) * time.Millisecond)
				d.add(c, 1, at)
				waiting[use{c, 1}] = at
			case 2: // one is over, and perhaps begun again
				if len(calls) == 0 {
					continue
				}
				c := rapid.SampledFrom(calls).Draw(t, "call")
				delete(waiting, use{c, c.use})
				if c.over = true; rapid.Bool().Draw(t, "again") {
					c.use, c.over = c.use+1, false
					at := now.Add(100 * time.Millisecond)
					d.add(c, c.use, at)
					waiting[use{c, c.use}] = at
				}
			case 3:
				late, next := d.due(now, nil)
				for _, e := range late {
					id := use{e.call, e.use}
					if e.over() {
						continue // it may be told; expire looks again
					}
					at, known := waiting[id]
					if !known || at.After(now) {
						t.Fatalf("call of use %d is told late at %v, its deadline is %v (known: %v)", e.use, now, at, known)
					}
					delete(waiting, id)
				}
				for id, at := range waiting {
					if !at.After(now) {
						t.Fatalf("call of use %d is late since %v and was not told", id.use, now.Sub(at))
					}
					if next.IsZero() || next.After(at) {
						t.Fatalf("it looks again at %v, the next deadline is %v", next, at)
					}
				}
			}
		}
		if len(d.rows) > rowsMax {
			t.Fatalf("%d rows", len(d.rows))
		}
	})
}

// TestDeadlinesGiveMemoryBack lets a million calls pass of which few are under
// way at a time.
func TestDeadlinesGiveMemoryBack(t *testing.T) {
	d := newDeadlines()
	start := time.Unix(1000, 0)
	under := make([]*Call, 0, 100)
	for i := range 1_000_000 {
		c := &Call{use: 1}
		d.add(c, 1, start.Add(15*time.Second+time.Duration(i)*time.Microsecond))
		if under = append(under, c); len(under) == cap(under) {
			for _, c := range under {
				c.over = true
			}
			under = under[:0]
		}
	}
	if n := cap(d.rows[0].entries); n > 10_000 {
		t.Errorf("room for %d entries is kept where 100 are under way", n)
	}
}

// TestOneLongCallKeepsNoOthers has a million calls pass behind one that hangs.
func TestOneLongCallKeepsNoOthers(t *testing.T) {
	d := newDeadlines()
	start := time.Unix(1000, 0)
	d.add(&Call{use: 1}, 1, start)
	for i := range 1_000_000 {
		c := &Call{use: 1}
		d.add(c, 1, start.Add(time.Duration(i)*time.Microsecond))
		c.over = true
	}
	if n := cap(d.rows[0].entries); n > 10_000 {
		t.Errorf("room for %d entries is kept where one is under way", n)
	}
}

// TestManyDeadlinesInNoOrder is what the later steps of sessions make when the
// earlier ones took long: finding each its place must not take all the time.
func TestManyDeadlinesInNoOrder(t *testing.T) {
	d := newDeadlines()
	start, rng := time.Unix(1000, 0), rand.New(rand.NewPCG(1, 2))
	const calls = 100_000
	ends := make([]time.Time, calls)
	began := time.Now()
	for i := range ends {
		ends[i] = start.Add(time.Duration(rng.Int64N(int64(15 * time.Second))))
		c := &Call{use: 1}
		d.add(c, 1, ends[i])
		if i%3 == 0 {
			c.over, ends[i] = true, time.Time{}
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("%v a call", took/calls)
	}
	for now, before := start, (time.Time{}); now.Before(start.Add(16 * time.Second)); now = now.Add(100 * time.Millisecond) {
		want := 0
		for _, at := range ends {
			if at.After(before) && !at.After(now) {
				want++
			}
		}
		late, _ := d.due(now, nil)
		late = slices.DeleteFunc(late, func(e entry) bool { return e.over() })
		if len(late) != want {
			t.Fatalf("at %v: %d are late, want %d", now.Sub(start), len(late), want)
		}
		before = now
	}
}
