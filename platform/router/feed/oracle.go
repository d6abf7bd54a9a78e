package feed

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"breakbank/platform/router/discovery"
)

// oracleEvery is how often the oracle says that it is still there when nothing
// has changed: more often than anything that looks at the age of its table.
const oracleEvery = 100 * time.Millisecond

// Truth is what instances really serve, told by those who run them. It is safe
// for concurrent use; the zero value knows of nothing.
type Truth struct {
	mu       sync.Mutex
	services map[string][]discovery.Endpoint // sorted by address, never modified
	revision int64
	watchers map[chan struct{}]bool
}

// Serves says that an instance has begun to serve.
func (t *Truth) Serves(service string, e discovery.Endpoint) {
	t.change(service, func(all []discovery.Endpoint) []discovery.Endpoint { return append(all, e) })
}

// Ends says that it serves no more, or will not for long.
func (t *Truth) Ends(service string, e discovery.Endpoint) {
	t.change(service, func(all []discovery.Endpoint) []discovery.Endpoint {
		return slices.DeleteFunc(all, func(have discovery.Endpoint) bool { return have == e })
	})
}

func (t *Truth) change(service string, alter func([]discovery.Endpoint) []discovery.Endpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := alter(slices.Clone(t.services[service]))
	slices.SortFunc(now, func(a, b discovery.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
	now = slices.Compact(now)
	if slices.Equal(now, t.services[service]) {
		return
	}
	if t.services == nil {
		t.services = map[string][]discovery.Endpoint{}
	}
	t.services[service] = now
	t.revision++
	for w := range t.watchers {
		select {
		case w <- struct{}{}:
		default: // It has something to read already.
		}
	}
}

// watch returns a channel that holds a token whenever something has changed
// since the token was last taken, and what ends that.
func (t *Truth) watch() (<-chan struct{}, func()) {
	w := make(chan struct{}, 1)
	w <- struct{}{}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers == nil {
		t.watchers = map[chan struct{}]bool{}
	}
	t.watchers[w] = true
	return w, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, w)
	}
}

// entries returns the services that have changed since a revision.
func (t *Truth) entries(told map[string][]discovery.Endpoint) (changed []discovery.Entry, revision int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for service, endpoints := range t.services {
		if !slices.Equal(told[service], endpoints) {
			told[service] = endpoints
			changed = append(changed, discovery.Entry{Service: service, Endpoints: endpoints, Revision: t.revision})
		}
	}
	return changed, t.revision
}

var errNoTruth = errors.New("discovery oracle: nobody here knows what instances really serve")

// startOracle follows the truth.
func startOracle(o Options) (Feed, error) {
	if o.Truth == nil {
		return nil, errNoTruth
	}
	f := &oracle{stop: make(chan struct{})}
	changed, end := o.Truth.watch()
	f.work.Go(func() {
		defer end()
		f.run(o, changed)
	})
	return f, nil
}

// oracle has no use for evidence: it knows.
type oracle struct {
	stop chan struct{}
	once sync.Once
	work sync.WaitGroup
}

func (*oracle) Testify(discovery.Evidence) {}

func (f *oracle) Close() {
	f.once.Do(func() { close(f.stop) })
	f.work.Wait()
}

func (f *oracle) run(o Options, changed <-chan struct{}) {
	again := time.NewTicker(oracleEvery)
	defer again.Stop()
	told := map[string][]discovery.Endpoint{}
	for {
		entries, revision := o.Truth.entries(told)
		var changes []discovery.Publish
		if len(entries) > 0 {
			changes = []discovery.Publish{{Entries: entries}}
		}
		o.Runner.Apply(changes, discovery.State{
			Basis: discovery.FromSource, Source: "the truth", Synced: true, Revision: revision,
			HeardAt: time.Now(), Detail: "knowing",
		})
		select {
		case <-f.stop:
			return
		case <-changed:
		case <-again.C:
		}
	}
}
