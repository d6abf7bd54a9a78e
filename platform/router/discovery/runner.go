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
	// eventQueue bounds what sessions have reported and the core has not yet
	// taken; beyond it they wait, and the network behind them.
	eventQueue = 256
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
	// Apply takes the table's changes and the state after each step. It is
	// called from one goroutine and must not wait.
	Apply func(changes []Publish, state State)
	Log   *slog.Logger
}

// Runner is the shell around a Core: it owns the clock, the sources and the
// goroutines that read them.
type Runner struct {
	config   RunnerConfig
	core     *Core
	snapshot snapshotFile
	events   chan Event
	evidence chan Evidence
	cancel   context.CancelFunc
	done     sync.WaitGroup

	// What is under way; touched by the loop only.
	sessions map[SessionID]context.CancelFunc
	dials    map[int]context.CancelFunc // by source
	reading  sync.WaitGroup
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
		snapshot: snapshotFile{dir: c.SnapshotDir},
		events:   make(chan Event, eventQueue),
		evidence: make(chan Evidence, evidenceQueue),
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

func (r *Runner) loop(ctx context.Context) {
	ticker := time.NewTicker(TickEvery)
	defer ticker.Stop()
	defer r.reading.Wait()
	r.step(ctx, Start{})
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-r.events:
			r.forgetEnded(e)
			r.step(ctx, e)
		case e := <-r.evidence:
			r.step(ctx, e)
			// What evidence sets off is counted from it, in whole ticks.
			ticker.Reset(TickEvery)
		case <-ticker.C:
			r.step(ctx, Tick{})
		}
	}
}

// step tells the core of an event, does what it wants done, and tells it of
// what that brought at once.
func (r *Runner) step(ctx context.Context, e Event) {
	var changes []Publish
	for e != nil {
		effects := r.core.Step(time.Now(), e)
		e = nil
		for _, effect := range effects {
			switch effect := effect.(type) {
			case Publish:
				changes = append(changes, effect)
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
				if err := r.snapshot.save(effect); err != nil {
					r.config.Log.Warn(err.Error())
				}
			case Log:
				r.config.Log.Log(ctx, effect.Level, effect.Text)
			}
		}
	}
	r.config.Apply(changes, r.core.State())
}

func (r *Runner) loadSnapshot() Event {
	loaded, err := r.snapshot.load()
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

func (r *Runner) report(ctx context.Context, e Event) {
	select {
	case r.events <- e:
	case <-ctx.Done():
	}
}

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
		r.report(ctx, Listed{Session: l.Session, Revision: revision, Items: items})
	}
}

func (r *Runner) watch(w Watch) func(context.Context) {
	source := r.config.Sources[w.Source]
	return func(ctx context.Context) {
		err := source.Watch(ctx, w.Revision, func(n Notice) {
			if n.Bookmark {
				r.report(ctx, Bookmark{Session: w.Session, Revision: n.Revision})
			} else {
				r.report(ctx, Changed{Session: w.Session, Revision: n.Revision, Deleted: n.Deleted, Item: n.Item})
			}
		})
		r.report(ctx, WatchBroken{Session: w.Session, Gone: errors.Is(err, ErrGone), Err: err})
	}
}
