package loadgen

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"breakbank/loadgen/transport"
)

// agenda does what customers do after a pause: the next step of a session, a
// retry. One goroutine for all; it is as late as the runtime's timers, up to
// some 1 ms. How much is on it is bounded by the visits under way.
type agenda struct {
	mu    sync.Mutex
	items items
	wake  chan struct{}
}

type item struct {
	at time.Time
	do func(b *transport.Batch)
}

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

func (a *agenda) add(at time.Time, do func(b *transport.Batch)) {
	a.mu.Lock()
	heap.Push(&a.items, item{at, do})
	first := a.items[0].at.Equal(at)
	a.mu.Unlock()
	if first {
		a.stir()
	}
}

// stir has the goroutine look again.
func (a *agenda) stir() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run does things when they are due until done is closed. Once ctx has ended,
// nothing waits for its time any more.
func (a *agenda) run(ctx context.Context, done <-chan struct{}) {
	timer := newStoppedTimer()
	defer timer.Stop()
	var b transport.Batch
	hurry := ctx.Done()
	for {
		next, ok := a.due(ctx, &b)
		b.Flush()
		if ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
		select {
		case <-timer.C:
		case <-a.wake:
		case <-hurry:
			hurry = nil
		case <-done:
			return
		}
	}
}

// due does what is due and says when there is more.
func (a *agenda) due(ctx context.Context, b *transport.Batch) (next time.Time, ok bool) {
	for {
		a.mu.Lock()
		if len(a.items) == 0 {
			a.mu.Unlock()
			return time.Time{}, false
		}
		if at := a.items[0].at; ctx.Err() == nil && at.After(time.Now()) {
			a.mu.Unlock()
			return at, true
		}
		first := heap.Pop(&a.items).(item)
		a.mu.Unlock()
		first.do(b)
	}
}

// items is a heap by time.
type items []item

func (h items) Len() int           { return len(h) }
func (h items) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h items) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *items) Push(x any) { *h = append(*h, x.(item)) }

// Pop implements heap.Interface.
func (h *items) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = item{}
	*h = (*h)[:last]
	return it
}
