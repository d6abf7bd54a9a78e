package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"breakbank/bench/result"
)

const (
	// backlogEvery is how often the backlogs are asked for.
	backlogEvery = 250 * time.Millisecond
	// drainedWithin is how long after the opening of the last phase the
	// backlogs must be empty (incident.md, "recovered").
	drainedWithin = 60 * time.Second
	// drainMax is how long a run goes on asking once its load has stopped: the
	// books can be audited only when nothing is on its way any more, were it
	// late.
	drainMax = 60 * time.Second
)

// backlogWatch follows what is still to be posted. One goroutine at a time asks:
// the watch's own from start on, and whoever calls drain after it has ended. The
// rest is safe for concurrent use.
type backlogWatch struct {
	ask func(context.Context) (waiting, error)

	stop context.CancelFunc
	done sync.WaitGroup

	mu sync.Mutex
	// from is when the last phase opened: draining is timed from there. drained
	// is since when all have been seen empty, zero while they are not.
	from    time.Time
	drained time.Time
	seen    result.Backlog
	fail    error
}

// start asks until drain is called, which it must be, or ctx ends.
func (w *backlogWatch) start(ctx context.Context) {
	ctx, w.stop = context.WithCancel(ctx)
	w.done.Go(func() {
		ticks := time.NewTicker(backlogEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				w.look(ctx)
			}
		}
	})
}

// look asks once; true when all are empty.
func (w *backlogWatch) look(ctx context.Context) (empty bool) {
	asked := time.Now()
	now, err := w.ask(ctx)
	return w.note(asked, now, err)
}

// note takes the answer to a question that was asked at a time.
func (w *backlogWatch) note(asked time.Time, now waiting, err error) (empty bool) {
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
	case empty && w.drained.IsZero():
		w.drained = asked
	case !empty && asked.Sub(w.from) <= drainedWithin:
		// What comes up later, under the load that goes on, is not the backlog
		// that the phase began with.
		w.drained = time.Time{}
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
// most drainMax or until ctx ends. empty says whether nothing waits any more, be
// that in time or not.
func (w *backlogWatch) drain(ctx context.Context) (b result.Backlog, empty bool) {
	w.stop()
	w.done.Wait()
	ctx, cancel := context.WithTimeout(ctx, drainMax)
	defer cancel()
	empty = w.look(ctx)
	atEnd := w.figures()
	ticks := time.NewTicker(backlogEvery)
	defer ticks.Stop()
	for !empty && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticks.C:
			empty = w.look(ctx)
		}
	}
	b = w.outcome(empty, errors.Is(ctx.Err(), context.Canceled))
	b.Advices, b.Queued, b.Reversals = atEnd.Advices, atEnd.Queued, atEnd.Reversals
	return b, empty
}

// outcome says how long it took, or why it did not come to that.
func (w *backlogWatch) outcome(empty, stopped bool) result.Backlog {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.seen
	switch took := w.drained.Sub(w.from); {
	case empty && took <= drainedWithin:
		b.DrainS, b.Drained = max(took.Seconds(), 0), true
	case empty:
		b.DrainS = took.Seconds()
		b.Detail = fmt.Sprintf("empty %.1f s after the last phase opened, more than %v", b.DrainS, drainedWithin)
	case stopped:
		b.Detail = "stopped before all were empty"
	case w.fail != nil:
		b.Detail = w.fail.Error()
	default:
		b.Detail = fmt.Sprintf("not empty %v after the load stopped", drainMax)
	}
	return b
}

// figures are what was seen so far.
func (w *backlogWatch) figures() result.Backlog {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}
