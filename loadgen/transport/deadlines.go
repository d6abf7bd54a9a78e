package transport

import (
	"context"
	"slices"
	"sync"
	"time"
)

// deadlines gives calls up that have not ended in time, with one goroutine for
// all. The calls of a load have few different patiences, so that their deadlines
// fall into a few rising rows, and most calls are over long before: a row is a
// queue whose head is dropped when it is over.
//
//	5 s:   |c1 c4 c5 c9 ...   a call goes behind the first row
//	10 s:  |c2 c3 c7 ...      whose last deadline is not after its own
//	15 s:  |c6 c8 ...
//
// What fits no row, as the later steps of sessions whose earlier ones took long,
// is on a heap.
type deadlines struct {
	mu   sync.Mutex
	rows []row
	rest pile
	next time.Time // for which the goroutine waits; zero: for nothing
	wake chan struct{}
}

// row is entries with rising deadlines: a queue in a slice whose front is given
// back when half of it is gone.
type row struct {
	entries []entry
	head    int
}

type entry struct {
	call *Call
	use  uint64
	at   time.Time
}

const (
	// rowsMax is how many rows there are at most.
	rowsMax = 16
	// sweepMin is from how many entries on those that are over are looked for
	// before room for more is made.
	sweepMin = 1024
)

func newDeadlines() *deadlines { return &deadlines{wake: make(chan struct{}, 1)} }

// add notes a call. One without a deadline is never given up.
func (d *deadlines) add(c *Call, use uint64, at time.Time) {
	if at.IsZero() {
		return
	}
	d.mu.Lock()
	if r := d.rowFor(at); r != nil {
		r.trim()
		r.sweep()
		r.entries = append(r.entries, entry{c, use, at})
	} else {
		d.rest.add(entry{c, use, at})
	}
	wake := d.next.IsZero() || at.Before(d.next)
	if wake {
		d.next = at
	}
	d.mu.Unlock()
	if wake {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// rowFor is the row that a deadline may go to the end of, nil if there is none.
func (d *deadlines) rowFor(at time.Time) *row {
	for i := range d.rows {
		r := &d.rows[i]
		if n := len(r.entries); n == r.head || !r.entries[n-1].at.After(at) {
			return r
		}
	}
	if len(d.rows) == rowsMax {
		return nil
	}
	d.rows = append(d.rows, row{})
	return &d.rows[len(d.rows)-1]
}

// sweep drops the entries whose calls are over, wherever they are, of a row that
// has no room: one call that lasts keeps nothing of those behind it.
func (r *row) sweep() {
	if n := len(r.entries); n < sweepMin || n < cap(r.entries) {
		return
	}
	r.entries, r.head = sweep(r.entries, r.head), 0
}

// sweep is the entries from head on without those that are over. Where that is
// few, room for more is left; else whoever appends makes it twice as large, so
// that looking costs little for each that comes.
func sweep(entries []entry, head int) []entry {
	left := entries[:0]
	for _, e := range entries[head:] {
		if !e.over() {
			left = append(left, e)
		}
	}
	clear(entries[len(left):])
	if len(left) > cap(entries)/2 {
		return slices.Grow(left, cap(entries))
	}
	return left
}

// trim drops the entries at the head whose calls are over.
func (r *row) trim() {
	for r.head < len(r.entries) && r.entries[r.head].over() {
		r.entries[r.head] = entry{}
		r.head++
	}
	if r.head == len(r.entries) {
		r.entries, r.head = r.entries[:0], 0
	} else if r.head > len(r.entries)/2 && r.head > sweepMin {
		n := copy(r.entries, r.entries[r.head:])
		clear(r.entries[n:])
		r.entries, r.head = r.entries[:n], 0
	}
}

func (e *entry) over() bool {
	e.call.mu.Lock()
	defer e.call.mu.Unlock()
	return e.call.over || e.call.use != e.use
}

// run gives up what is late, until ctx ends.
func (d *deadlines) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var b Batch
	var late []entry
	for {
		var next time.Time
		late, next = d.due(time.Now(), late[:0])
		for i := range late {
			late[i].call.expire(&b, late[i].use)
		}
		b.Flush()
		clear(late)
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-timer.C:
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

// giveUp has every call with a deadline given up at once.
func (d *deadlines) giveUp() {
	var b Batch
	late, _ := d.due(time.Unix(1<<40, 0), nil)
	for i := range late {
		late[i].call.expire(&b, late[i].use)
	}
	b.Flush()
}

// due takes what is late and says when to look again.
func (d *deadlines) due(now time.Time, late []entry) ([]entry, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = time.Time{}
	for i := range d.rows {
		r := &d.rows[i]
		r.trim()
		for r.head < len(r.entries) && !r.entries[r.head].at.After(now) {
			late = append(late, r.entries[r.head])
			r.entries[r.head] = entry{}
			r.head++
		}
		r.trim()
		if r.head < len(r.entries) {
			d.sooner(r.entries[r.head].at)
		}
	}
	for len(d.rest) > 0 {
		if first := &d.rest[0]; !first.over() {
			if first.at.After(now) {
				d.sooner(first.at)
				break
			}
			late = append(late, *first)
		}
		d.rest.pop()
	}
	return late, d.next
}

// sooner has it look again at a time, unless it does so before.
func (d *deadlines) sooner(at time.Time) {
	if d.next.IsZero() || at.Before(d.next) {
		d.next = at
	}
}

// pile is a heap of entries, the earliest first.
type pile []entry

func (p *pile) add(e entry) {
	if n := len(*p); n >= sweepMin && n == cap(*p) {
		*p = sweep(*p, 0)
		for i := len(*p)/2 - 1; i >= 0; i-- {
			p.sink(i)
		}
	}
	*p = append(*p, e)
	h := *p
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].at.Before(h[up].at) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// pop drops the first.
func (p *pile) pop() {
	h := *p
	last := len(h) - 1
	h[0], h[last] = h[last], entry{}
	*p = h[:last]
	p.sink(0)
}

// sink moves an entry to its place among those behind it.
func (p pile) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(p); child++ {
			if p[child].at.Before(p[least].at) {
				least = child
			}
		}
		if least == i {
			return
		}
		p[i], p[least] = p[least], p[i]
		i = least
	}
}
