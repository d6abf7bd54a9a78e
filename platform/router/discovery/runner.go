package discovery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	// listTimeout is longer than any API server takes to give up (10 s): past
	// it the connection itself must be dead.
	listTimeout = 15 * time.Second
	// evidenceQueue bounds what the data plane has found; beyond it evidence
	// is dropped, because more of it is on the way.
	evidenceQueue = 64
)

// RunnerConfig is what a Runner needs.
type RunnerConfig struct {
	// Core's Sources are filled in from Sources.
	Core    Config
	Sources []Source
	// SnapshotDir is where the policy snapshot keeps its table; "" for none.
	SnapshotDir string
	// Apply takes the table's changes and the state after them. It is called
	// from one goroutine, after one event or several that came together;
	// it must not wait, nor keep changes.
	Apply func(changes []Publish, state State)
	// Probe asks whether the instance that the table names answers at its
	// address, for policies that want to know. It may be called maxProbes
	// times at once and ends with ctx. Without it a connection is evidence
	// enough (Connects).
	Probe func(ctx context.Context, service string, e Endpoint) bool
	Log   *slog.Logger
}

// Runner is the shell around a Core: it owns the clock, the sources and the
// goroutines that read them.
type Runner struct {
	config   RunnerConfig
	core     *Core
	snapshot *snapshotWriter
	queue    *queue
	evidence chan Evidence
	asks     chan ask
	stopped  <-chan struct{}
	cancel   context.CancelFunc
	done     sync.WaitGroup

	// What is under way; touched by the loop only.
	sessions map[SessionID]context.CancelFunc
	dials    map[int]context.CancelFunc // by source
	reading  sync.WaitGroup
	changes  []Publish // not applied yet
}

// StartRunner starts discovery. The caller closes the Runner, which closes
// the sources.
func StartRunner(c RunnerConfig) *Runner {
	for _, s := range c.Sources {
		c.Core.Sources = append(c.Core.Sources, s.Info())
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runner{
		config:   c,
		core:     New(c.Core),
		snapshot: newSnapshotWriter(snapshotFile{dir: c.SnapshotDir}, c.Log),
		queue:    newQueue(),
		evidence: make(chan Evidence, evidenceQueue),
		asks:     make(chan ask),
		stopped:  ctx.Done(),
		cancel:   cancel,
		sessions: map[SessionID]context.CancelFunc{},
		dials:    map[int]context.CancelFunc{},
	}
	r.done.Go(func() { r.loop(ctx) })
	return r
}

// Testify reports what the data plane found. It never waits.
func (r *Runner) Testify(e Evidence) {
	select {
	case r.evidence <- e:
	default:
	}
}

// Close stops everything and waits for it.
func (r *Runner) Close() {
	r.cancel()
	r.done.Wait()
	for _, s := range r.config.Sources {
		s.Close()
	}
}

// Conflated counts the changes that were skipped because a newer one of the
// same record had come before the core took them.
func (r *Runner) Conflated() int64 { return r.queue.replaced() }

func (r *Runner) loop(ctx context.Context) {
	var writing sync.WaitGroup
	writing.Go(func() { r.snapshot.run(ctx.Done()) })
	defer writing.Wait()
	defer close(r.snapshot.wake)
	defer r.reading.Wait()
	ticker := time.NewTicker(TickEvery)
	defer ticker.Stop()
	var batch []queued
	r.step(ctx, Start{})
	for {
		r.apply()
		select {
		case <-ctx.Done():
			return
		case <-r.queue.wake:
			batch = r.queue.take(batch)
			for _, q := range batch {
				if q.event != nil {
					r.forgetEnded(q.event)
					r.step(ctx, q.event)
				}
			}
		case e := <-r.evidence:
			r.step(ctx, e)
			// What evidence sets off is counted from it, in whole ticks.
			ticker.Reset(TickEvery)
		case a := <-r.asks:
			a.answer <- r.core.Told(a.after)
		case <-ticker.C:
			r.step(ctx, Tick{})
		}
	}
}

// apply hands the data plane what the steps since the last time have changed.
func (r *Runner) apply() {
	r.config.Apply(r.changes, r.core.State())
	clear(r.changes)
	r.changes = r.changes[:0]
}

// step tells the core of an event, does what it wants done, and tells it of
// what that brought at once. What it publishes waits for apply.
func (r *Runner) step(ctx context.Context, e Event) {
	for e != nil {
		effects := r.core.Step(time.Now(), e)
		e = nil
		for _, effect := range effects {
			switch effect := effect.(type) {
			case Publish:
				r.changes = append(r.changes, effect)
			case List:
				r.open(ctx, effect.Session, effect.After, r.list(effect))
			case Watch:
				r.open(ctx, effect.Session, effect.After, r.watch(effect))
			case Stop:
				r.stop(effect.Session)
			case Dial:
				r.dial(ctx, effect.Source)
			case HangUp:
				r.hangUp(effect.Source)
			case LoadSnapshot:
				e = r.loadSnapshot()
			case SaveSnapshot:
				r.snapshot.save(effect)
			case Probe:
				r.probe(ctx, effect)
			case Locate:
				r.locate(ctx, effect)
			case Log:
				r.config.Log.Log(ctx, effect.Level, effect.Text)
			}
		}
	}
}

func (r *Runner) loadSnapshot() Event {
	loaded, err := r.snapshot.file.load()
	if err != nil {
		r.config.Log.Warn(err.Error())
	}
	return loaded
}

// open runs a session in a goroutine of its own after a delay.
func (r *Runner) open(ctx context.Context, id SessionID, after time.Duration, run func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	r.sessions[id] = cancel
	r.reading.Go(func() {
		defer cancel()
		if after > 0 {
			timer := time.NewTimer(after)
			defer timer.Stop()
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		run(ctx)
	})
}

func (r *Runner) dial(ctx context.Context, source int) {
	d, ok := r.config.Sources[source].(dialler)
	if !ok {
		return
	}
	r.hangUp(source)
	ctx, cancel := context.WithCancel(ctx)
	r.dials[source] = cancel
	r.reading.Go(func() {
		defer cancel()
		d.Dial(ctx)
	})
}

func (r *Runner) hangUp(source int) {
	if cancel, ok := r.dials[source]; ok {
		cancel()
		delete(r.dials, source)
	}
}

func (r *Runner) stop(id SessionID) {
	if cancel, ok := r.sessions[id]; ok {
		cancel()
		delete(r.sessions, id)
	}
}

// forgetEnded drops a session whose last event this is.
func (r *Runner) forgetEnded(e Event) {
	switch e := e.(type) {
	case Listed:
		delete(r.sessions, e.Session)
	case ListFailed:
		delete(r.sessions, e.Session)
	case WatchBroken:
		delete(r.sessions, e.Session)
	}
}

func (r *Runner) report(ctx context.Context, e Event) { r.queue.put(ctx, e, queueKey{}) }

func (r *Runner) list(l List) func(context.Context) {
	source := r.config.Sources[l.Source]
	return func(ctx context.Context) {
		limited, cancel := context.WithTimeout(ctx, listTimeout)
		defer cancel()
		revision, items, err := source.List(limited)
		if err != nil {
			r.report(ctx, ListFailed{Session: l.Session, Err: err})
			return
		}
		e := Listed{Session: l.Session, Revision: revision, Items: items}
		if peer, ok := source.(*Peer); ok {
			e.HeardAt = peer.HeardAt()
		}
		r.report(ctx, e)
	}
}

func (r *Runner) watch(w Watch) func(context.Context) {
	source := r.config.Sources[w.Source]
	return func(ctx context.Context) {
		err := source.Watch(ctx, w.Revision, func(n Notice) {
			if n.Bookmark {
				r.report(ctx, Bookmark{Session: w.Session, Revision: n.Revision, HeardAt: n.HeardAt})
			} else {
				e := Changed{Session: w.Session, Revision: n.Revision, Deleted: n.Deleted, Item: n.Item}
				r.queue.put(ctx, e, queueKey{w.Session, n.Record})
			}
		})
		r.report(ctx, WatchBroken{Session: w.Session, Gone: errors.Is(err, ErrGone), Err: err})
	}
}
