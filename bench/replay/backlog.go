package replay

import (
	"context"
	"sync"
	"time"

	"breakbank/bench/result"
)

const (
	// backlogEvery is how often the backlogs are asked for.
	backlogEvery = 250 * time.Millisecond
	// drainMax is how long the backlogs may take to reach zero after the script
	// (incident.md, "recovered").
	drainMax = 60 * time.Second
)

// backlogWatch follows what is still to be posted. Safe for concurrent use.
type backlogWatch struct {
	edges *edges

	mu sync.Mutex
	// from is when the last phase opened: draining is timed from there. drained
	// is since when all have been seen empty, zero while they are not.
	from    time.Time
	drained time.Time
	seen    result.Backlog
	fail    error
}

// watch asks until ctx ends.
func (w *backlogWatch) watch(ctx context.Context) {
	ticks := time.NewTicker(backlogEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			w.ask(ctx)
		}
	}
}

// ask notes the backlogs; true when all were seen empty.
func (w *backlogWatch) ask(ctx context.Context) (empty bool) {
	now, err := w.edges.backlog(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = err
	if err != nil {
		return false
	}
	w.seen.Advices, w.seen.Queued, w.seen.Reversals = now.advices, now.queued, now.reversals
	w.seen.AdvicesPeak = max(w.seen.AdvicesPeak, now.advices)
	w.seen.QueuedPeak = max(w.seen.QueuedPeak, now.queued)
	w.seen.ReversalsPeak = max(w.seen.ReversalsPeak, now.reversals)
	empty = now.none()
	switch {
	case !empty:
		w.drained = time.Time{}
	case w.drained.IsZero():
		w.drained = time.Now()
	}
	return empty
}

// phase starts the timing of the drain anew.
func (w *backlogWatch) phase(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from = at
}

// drain waits until the backlogs are empty once the load has stopped, for at
// most drainMax.
func (w *backlogWatch) drain(ctx context.Context) result.Backlog {
	ctx, cancel := context.WithTimeout(ctx, drainMax)
	defer cancel()
	empty := w.ask(ctx)
	atEnd := w.figures()
	ticks := time.NewTicker(backlogEvery)
	defer ticks.Stop()
	for !empty && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticks.C:
			empty = w.ask(ctx)
		}
	}
	b := w.figures()
	b.Advices, b.Queued, b.Reversals, b.Drained = atEnd.Advices, atEnd.Queued, atEnd.Reversals, empty
	w.mu.Lock()
	defer w.mu.Unlock()
	if empty && !w.from.IsZero() {
		b.DrainS = max(w.drained.Sub(w.from).Seconds(), 0)
	}
	if !empty && w.fail != nil {
		b.Detail = w.fail.Error()
	}
	return b
}

func (w *backlogWatch) figures() result.Backlog {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}
