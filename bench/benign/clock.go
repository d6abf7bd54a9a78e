package benign

import (
	"container/heap"
	"time"
)

// clock is virtual time: what is to happen, in order.
type clock struct {
	now   time.Duration
	queue happenings
	seq   int
}

type happening struct {
	at  time.Duration
	seq int // of two at the same time the first comes first
	run func()
}

// at has something happen at a time, or at once if that has passed.
func (c *clock) at(when time.Duration, run func()) {
	c.seq++
	heap.Push(&c.queue, happening{max(when, c.now), c.seq, run})
}

// runUntil lets time pass.
func (c *clock) runUntil(end time.Duration) {
	for len(c.queue) > 0 && c.queue[0].at <= end {
		next := heap.Pop(&c.queue).(happening) //nolint:forcetypeassert // nothing else is in it
		c.now = next.at
		next.run()
	}
	c.now = end
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, k int) bool {
	if h[i].at != h[k].at {
		return h[i].at < h[k].at
	}
	return h[i].seq < h[k].seq
}
func (h happenings) Swap(i, k int) { h[i], h[k] = h[k], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) } //nolint:forcetypeassert // see runUntil
func (h *happenings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = happening{}
	*h = (*h)[:last]
	return x
}
