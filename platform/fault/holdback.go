package fault

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// latency is the Delay of a Relay.
type latency struct {
	delay, jitter time.Duration
	seed          uint64
	current       *atomic.Pointer[latency] // the link's
	chunks        atomic.Int64
	held          atomic.Int64 // nanoseconds
}

func (l *latency) Clear(context.Context) error {
	l.current.CompareAndSwap(l, nil)
	return nil
}

func (l *latency) Chunks() int64       { return l.chunks.Load() }
func (l *latency) Held() time.Duration { return time.Duration(l.held.Load()) }

// holdback says until when one direction of a connection holds what it reads.
// It belongs to that direction's reader.
type holdback struct {
	current *atomic.Pointer[latency]
	stream  uint64

	latency *latency // the one that random was seeded for
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
