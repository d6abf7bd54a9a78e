package discovery

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// What a watch does with a record that the parser throws on because of null.
const (
	// DropNull logs the event, drops it and goes on, as linkerd did.
	DropNull = "drop"
	// FreezeOnNull ends the watch silently: nothing is consumed any more.
	FreezeOnNull = "freeze"
)

// Config is what a core is made of.
type Config struct {
	// Sources in order of preference: API servers, own zone first, then etcd.
	Sources  []SourceInfo
	Parser   Parser
	Policies []Policy
	// WatchNull is DropNull or FreezeOnNull.
	WatchNull string
	// Rand draws the jitter; the core is its only user.
	Rand *rand.Rand
}

// Core is the state of one router's discovery. It is not safe for concurrent
// use: one goroutine steps it.
type Core struct {
	config Config
	judge  judge // nil when no policy judges sources

	// What is believed.
	table    map[string]Entry
	basis    Basis
	revision int64 // the table is complete up to here
	synced   bool
	poisoned bool
	savedAt  time.Time // of the snapshot, while basis is FromSnapshot

	// Whom it is believed from, and how sure we are.
	current     int       // index of the source believed
	sessions    []session // one a source
	lastSession SessionID
	heardAt     time.Time // anything from the current source
	confirmedAt time.Time // a list or bookmark from it, or the start
	doubt       doubt
	accusations accusations
	relists     relistLimit

	saver saver

	// The step under way.
	now     time.Time
	effects []Effect
	publish Publish
}

// New returns a core that waits for Start.
func New(c Config) *Core {
	core := &Core{
		config:      c,
		table:       map[string]Entry{},
		sessions:    make([]session, len(c.Sources)),
		accusations: accusations{seen: map[string]bool{}},
	}
	core.judge, _ = hook[judge](c.Policies)
	if s, ok := hook[snapshotter](c.Policies); ok {
		core.saver.every = s.SnapshotEvery()
	}
	return core
}

// Step tells the core what happened and returns what is to be done about it,
// in order. now must not go back.
func (c *Core) Step(now time.Time, e Event) []Effect {
	c.now, c.effects, c.publish = now, nil, Publish{}
	switch e := e.(type) {
	case Start:
		c.start()
	case SnapshotLoaded:
		c.snapshotLoaded(e)
	case Listed:
		c.listed(e)
	case ListFailed:
		c.listFailed(e)
	case Changed:
		c.changed(e)
	case Bookmark:
		c.bookmarked(e)
	case WatchBroken:
		c.watchBroken(e)
	case Evidence:
		c.evidence(e)
	case Tick:
	}
	c.failOver()
	c.flush()
	c.saveIfDue()
	return c.effects
}

// State returns the core's view of itself.
func (c *Core) State() State {
	s := State{
		Basis: c.basis, Synced: c.synced, Poisoned: c.poisoned, Revision: c.revision,
		HeardAt: c.heardAt, SavedAt: c.savedAt, Source: c.config.Sources[c.current].Name,
	}
	if c.basis == FromSnapshot {
		s.Source = "snapshot"
	}
	s.Detail = c.describe()
	return s
}

func (c *Core) describe() string {
	name := c.config.Sources[c.current].Name
	switch {
	case c.doubt.reason != "":
		return fmt.Sprintf("%s is in doubt: %s", name, c.doubt.reason)
	case c.sessions[c.current].phase == frozen:
		return "the watch of " + name + " ended silently on a null record"
	case c.poisoned:
		return "no list of " + name + " can be parsed; every name is pending"
	case c.sessions[c.current].phase == listing:
		return "listing " + name
	default:
		return "watching " + name
	}
}

func (c *Core) start() {
	c.confirmedAt = c.now
	if c.saver.every > 0 {
		c.do(LoadSnapshot{})
	}
	c.openList(c.current, 0)
}

func (c *Core) snapshotLoaded(e SnapshotLoaded) {
	if e.Entries == nil || c.basis != Pending {
		return
	}
	c.basis, c.revision, c.savedAt = FromSnapshot, e.Revision, e.SavedAt
	for _, entry := range e.Entries {
		c.put(entry)
	}
	c.logf(slog.LevelInfo, "serving %d names from the snapshot of revision %d, %v old", len(e.Entries), e.Revision, c.now.Sub(e.SavedAt).Round(time.Second))
}

// confirm notes that the table is complete up to revision, as of now.
func (c *Core) confirm(revision int64) {
	c.revision = revision
	c.heardAt, c.confirmedAt = c.now, c.now
	c.basis, c.synced, c.poisoned = FromSource, true, false
	c.accusations.open = ""
	c.saver.confirmed(c.now)
}

func (c *Core) do(e Effect) { c.effects = append(c.effects, e) }

func (c *Core) logf(level slog.Level, format string, args ...any) {
	c.do(Log{Level: level, Text: fmt.Sprintf(format, args...)})
}
