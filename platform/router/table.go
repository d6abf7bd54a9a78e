package router

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"breakbank/platform/router/discovery"
)

// maxWaiting bounds the requests that wait for a better table (routing.md).
const maxWaiting = 10_000

var errTooManyWaiting = errors.New("too many requests wait for a route already")

// table is what the data plane routes by. Looking a name up takes no lock; a
// change touches the services it names and nothing else.
type table struct {
	config Config
	plane  dataPlane
	at     position
	seed   uint64
	log    *slog.Logger
	// defaultService is whose a request is that names no service; "": nobody's.
	defaultService string

	services sync.Map // name → *service
	state    atomic.Pointer[discovery.State]
	version  atomic.Uint64 // another one after each change
	lines    atomic.Pointer[tableCopy]

	waiting atomic.Int64
	changed atomic.Pointer[chan struct{}] // closed and replaced at each change
}

// tableVersions are given out in one row to all tables of this process, so that
// no two of them share one.
var tableVersions atomic.Uint64

// tableCopy is what a table held at a version, with addresses sorted.
type tableCopy struct {
	version uint64
	lines   map[string][]string
}

func newTable(c Config, at position, plane dataPlane, seed uint64, log *slog.Logger) *table {
	t := &table{config: c, plane: plane, at: at, seed: seed, log: log}
	t.state.Store(&discovery.State{})
	t.version.Store(tableVersions.Add(1))
	changed := make(chan struct{})
	t.changed.Store(&changed)
	return t
}

// apply takes what discovery publishes. It is called from one goroutine.
func (t *table) apply(changes []discovery.Publish, state discovery.State) {
	before := t.state.Load().Basis
	for _, change := range changes {
		if change.Pending {
			t.clear()
		}
		for _, entry := range change.Entries {
			t.update(entry)
		}
		for _, name := range change.Removed {
			t.remove(name)
		}
	}
	if len(changes) > 0 {
		t.version.Store(tableVersions.Add(1))
	}
	t.state.Store(&state)
	if len(changes) > 0 || state.Basis != before {
		t.announce()
	}
}

func (t *table) update(entry discovery.Entry) {
	s := t.lookup(entry.Service)
	if s == nil {
		fresh, err := newService(entry.Service, t.config, t.plane, t.seed, t.log)
		if err != nil {
			// Names were checked when the configuration was read.
			t.log.Error("a service cannot be balanced", "service", entry.Service, "error", err)
			return
		}
		s = fresh
		t.at.tell(s.strategy)
	}
	s.update(time.Now(), entry)
	t.services.Store(entry.Service, s)
}

// remove retires a service's endpoints; attempts under way go on.
func (t *table) remove(name string) {
	if s, ok := t.services.LoadAndDelete(name); ok {
		s.(*service).update(time.Now(), discovery.Entry{Service: name})
	}
}

func (t *table) clear() {
	t.services.Range(func(name, _ any) bool {
		t.remove(name.(string))
		return true
	})
}

// close ends every connection at once.
func (t *table) close() {
	t.services.Range(func(_, s any) bool {
		s.(*service).close()
		return true
	})
}

func (t *table) lookup(name string) *service {
	s, ok := t.services.Load(name)
	if !ok {
		return nil
	}
	return s.(*service)
}

// copied is what the table holds, copied once a version. A copy made while a
// change is being applied holds part of it, under the version before; the
// version after, which is set when the change is complete, brings another copy.
func (t *table) copied() (map[string][]string, uint64) {
	version := t.version.Load()
	if c := t.lines.Load(); c != nil && c.version == version {
		return c.lines, version
	}
	c := &tableCopy{version, map[string][]string{}}
	t.services.Range(func(name, s any) bool {
		addresses := s.(*service).addresses()
		slices.Sort(addresses)
		c.lines[name.(string)] = addresses
		return true
	})
	t.lines.Store(c)
	return c.lines, version
}

// changes returns a channel that is closed when the table changes next. Take
// it before looking, or a change in between is missed.
func (t *table) changes() <-chan struct{} { return *t.changed.Load() }

// announce is called by apply's goroutine only.
func (t *table) announce() {
	next := make(chan struct{})
	close(*t.changed.Swap(&next))
}

// await waits until the table changes. It returns false when the deadline has
// passed, and an error when ctx ends or too many wait.
func (t *table) await(ctx context.Context, changed <-chan struct{}, deadline time.Time) (bool, error) {
	left := time.Until(deadline)
	if left <= 0 {
		return false, nil
	}
	if t.waiting.Add(1) > maxWaiting {
		t.waiting.Add(-1)
		return false, errTooManyWaiting
	}
	defer t.waiting.Add(-1)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-changed:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
