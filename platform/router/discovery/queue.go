package discovery

import (
	"context"
	"sync"
)

const (
	// queueEvents bounds what sessions have reported and the core has not yet
	// taken; beyond it they wait, and the network behind them. It has room for
	// one change of each of 1,000 services: under a flood, that is all there is
	// to know.
	queueEvents = 1024
	// conflateFrom is how many events must wait before a change takes the
	// place of an earlier one of the same record. Up to there every change is
	// told, as everybody's is who keeps up.
	conflateFrom = 64
)

// queue is what sessions have reported, in order. Its methods may be called
// from several goroutines; take, from one.
//
// When the core is behind, a change of a record replaces the one that still
// waits, at the end: what the core then knows last is right, and the order of
// revisions stays. A bookmark between the two is told before its time, by as
// long as it takes to empty the queue; a watch that resumes from it would be
// told the change again.
type queue struct {
	mu     sync.Mutex
	events []queued
	live   int // of events, those not replaced
	latest map[queueKey]int
	full   chan struct{} // closed when there is room again; nil: nobody waits
	wake   chan struct{} // holds a token while there may be something to take

	conflated int64
}

// queued is one event; nil when a later one has replaced it.
type queued struct {
	event Event
	key   queueKey
}

// queueKey is the record that a change is about; zero for other events.
type queueKey struct {
	session SessionID
	record  string
}

func newQueue() *queue {
	return &queue{latest: map[queueKey]int{}, wake: make(chan struct{}, 1)}
}

// put adds an event, waiting for room until ctx ends. record names what a
// change is about, "" for what must not be replaced.
func (q *queue) put(ctx context.Context, e Event, key queueKey) {
	for {
		full := q.tryPut(e, key)
		if full == nil {
			return
		}
		select {
		case <-full:
		case <-ctx.Done():
			return
		}
	}
}

// tryPut adds an event, or returns what to wait for.
func (q *queue) tryPut(e Event, key queueKey) (full <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live >= conflateFrom && key.record != "" {
		q.index()
		if i, waiting := q.latest[key]; waiting {
			q.events[i] = queued{}
			q.live--
			q.conflated++
		}
	}
	if q.live >= queueEvents {
		if q.full == nil {
			q.full = make(chan struct{})
		}
		return q.full
	}
	if len(q.events) >= 2*queueEvents {
		q.compact()
	}
	if len(q.latest) > 0 && key.record != "" {
		q.latest[key] = len(q.events)
	}
	q.events = append(q.events, queued{e, key})
	q.live++
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// index finds the newest change of each record that waits, once that matters.
func (q *queue) index() {
	if len(q.latest) > 0 {
		return
	}
	for i, e := range q.events {
		if e.event != nil && e.key.record != "" {
			q.latest[e.key] = i
		}
	}
}

// compact drops what has been replaced.
func (q *queue) compact() {
	kept := q.events[:0]
	for _, e := range q.events {
		if e.event != nil {
			kept = append(kept, e)
		}
	}
	clear(q.events[len(kept):])
	q.events = kept
	clear(q.latest)
	q.index()
}

// take removes everything that waits. The caller gives back the slice of the
// time before, whose memory is used again.
func (q *queue) take(used []queued) []queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(used)
	taken := q.events
	q.events, q.live = used[:0], 0
	clear(q.latest)
	if q.full != nil {
		close(q.full)
		q.full = nil
	}
	return taken
}

// replaced counts the changes that the core never saw, because a newer one of
// the same record was there.
func (q *queue) replaced() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.conflated
}
