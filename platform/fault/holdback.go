package fault

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Latency is a delay on a link, with its proof. It is safe for concurrent use.
type Latency struct {
	delay, jitter time.Duration
	seed          uint64
	current       *atomic.Pointer[Latency] // the link's
	chunks        atomic.Int64
	held          atomic.Int64 // nanoseconds
}

// Clear ends it, and leaves what else is wrong with the link.
func (l *Latency) Clear() { l.current.CompareAndSwap(l, nil) }

// Chunks is the number of reads that were held back.
func (l *Latency) Chunks() int64 { return l.chunks.Load() }

// Held is by how much they were held back, added up.
func (l *Latency) Held() time.Duration { return time.Duration(l.held.Load()) }

// holdback says until when one direction of a connection holds what it reads.
// It belongs to that direction's reader.
type holdback struct {
	current *atomic.Pointer[Latency]
	stream  uint64

	latency *Latency // the one that random was seeded for
	random  *rand.Rand
	last    time.Time
}

// until returns when something read now may go on: never before what was read
// before it. The zero time means at once.
func (h *holdback) until(now time.Time) time.Time {
	l := h.current.Load()
	if l == nil {
		if h.last.Before(now) {
			return time.Time{}
		}
		return h.last
	}
	if l != h.latency {
		h.latency, h.random = l, rand.New(rand.NewPCG(l.seed, h.stream))
	}
	wait := l.delay
	if l.jitter > 0 {
		wait += time.Duration(h.random.Int64N(int64(l.jitter)))
	}
	due := now.Add(wait)
	if due.Before(h.last) {
		due = h.last
	}
	h.last = due
	l.chunks.Add(1)
	l.held.Add(int64(due.Sub(now)))
	return due
}
