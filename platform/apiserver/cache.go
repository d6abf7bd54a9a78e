package apiserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
)

const (
	// eventWindow is how many past events a cache keeps for watchers that come
	// back: at least this many, at most twice as many.
	eventWindow = 2_000
	// watcherQueue is how many events may wait for one watcher. One that is
	// further behind is dropped, and has to come back: the cache waits for
	// nobody.
	watcherQueue = 1_000
)

var (
	errNotReady = errors.New("the watch cache has not had its first list from etcd yet")
	errTooOld   = errors.New("too old resource version")
)

// cache is the watch cache of one kind: its objects as of a revision, and the
// last events that led there.
type cache struct {
	mu       sync.Mutex
	ready    bool
	revision int64 // known up to here; etcd's watch continues after it
	oldest   int64 // a watch may begin at this revision or later
	objects  map[string]entry
	window   []event // revisions after oldest, ascending
	watchers map[*watcher]struct{}
	advanced chan struct{} // closed when the revision grows
	dropped  int64         // watchers that were too slow, or had to list again
}

// watcher is one subscription. The cache closes events when it drops it;
// gone is then whether the watcher must list again.
type watcher struct {
	events chan event
	gone   bool // valid once events is closed
}

func newCache() *cache {
	return &cache{watchers: make(map[*watcher]struct{}), advanced: make(chan struct{})}
}

func (c *cache) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

func (c *cache) currentRevision() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revision
}

// replace starts the cache anew from a list. Its watchers are dropped: what
// happened between their last event and the list is not known.
func (c *cache) replace(entries []entry, revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects = make(map[string]entry, len(entries))
	for _, e := range entries {
		c.objects[e.name] = e
	}
	c.window = nil
	c.oldest = revision
	c.ready = true
	for w := range c.watchers {
		c.drop(w, true)
	}
	c.advance(revision)
}

func (c *cache) put(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ev := event{kind: added, revision: e.revision, object: e}
	if before, exists := c.objects[e.name]; exists {
		ev.kind, ev.before = modified, before
	}
	ev.encode()
	c.objects[e.name] = ev.object
	c.record(ev)
}

func (c *cache) remove(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, e.name)
	ev := event{kind: deleted, revision: e.revision, object: e}
	ev.encode()
	c.record(ev)
}

// progress notes that etcd has nothing more up to a revision, and tells the
// watchers.
func (c *cache) progress(revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(revision)
	c.send(event{kind: bookmark, revision: c.revision})
}

func (c *cache) record(ev event) {
	c.window = append(c.window, ev)
	if len(c.window) >= 2*eventWindow {
		cut := len(c.window) - eventWindow
		c.oldest = c.window[cut-1].revision
		c.window = slices.Clone(c.window[cut:])
	}
	c.advance(ev.revision)
	c.send(ev)
}

func (c *cache) advance(revision int64) {
	if revision <= c.revision {
		return
	}
	c.revision = revision
	close(c.advanced)
	c.advanced = make(chan struct{})
}

func (c *cache) send(ev event) {
	for w := range c.watchers {
		select {
		case w.events <- ev:
		default:
			c.drop(w, false)
		}
	}
}

func (c *cache) drop(w *watcher, gone bool) {
	delete(c.watchers, w)
	c.dropped++
	w.gone = gone
	close(w.events)
}

// waitFor waits until the cache is ready and knows a revision.
func (c *cache) waitFor(ctx context.Context, revision int64) error {
	for {
		c.mu.Lock()
		ready, reached, advanced := c.ready, c.revision >= revision, c.advanced
		c.mu.Unlock()
		switch {
		case !ready:
			return errNotReady
		case reached:
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// list returns the objects by name and the revision they are of.
func (c *cache) list() ([]entry, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil, 0, errNotReady
	}
	return c.sorted(), c.revision, nil
}

func (c *cache) sorted() []entry {
	entries := make([]entry, 0, len(c.objects))
	for _, e := range c.objects {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return entries
}

func (c *cache) get(name string) (entry, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return entry{}, false, errNotReady
	}
	e, exists := c.objects[name]
	return e, exists, nil
}

// subscribe returns the events after a revision that the cache still has, and
// a watcher that gets those to come. A revision the cache has not reached yet
// is fine: events up to it are the caller's to skip.
func (c *cache) subscribe(after int64) ([]event, *watcher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil, nil, errNotReady
	}
	if after < c.oldest {
		return nil, nil, errTooOld
	}
	from, _ := slices.BinarySearchFunc(c.window, after+1, func(ev event, revision int64) int {
		return int(ev.revision - revision)
	})
	return slices.Clone(c.window[from:]), c.newWatcher(), nil
}

// subscribeState returns all objects, the revision they are of, and a watcher
// that gets what happens to them afterwards.
func (c *cache) subscribeState() ([]entry, int64, *watcher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil, 0, nil, errNotReady
	}
	return c.sorted(), c.revision, c.newWatcher(), nil
}

func (c *cache) newWatcher() *watcher {
	w := &watcher{events: make(chan event, watcherQueue)}
	c.watchers[w] = struct{}{}
	return w
}

func (c *cache) unsubscribe(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, still := c.watchers[w]; still {
		c.drop(w, false)
	}
}
