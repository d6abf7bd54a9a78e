package discovery

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
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
	// Peers have no rank; the first must be none.
	Sources  []SourceInfo
	Parser   Parser
	Policies []Policy
	// WatchNull is DropNull or FreezeOnNull.
	WatchNull string
	// Zones says that the data plane wants to know in which zone instances are.
	Zones bool
	// Seed is the table that the policy seed starts from.
	Seed Addresses
	// Rand draws the jitter; the core is its only user.
	Rand *rand.Rand
}

// Core is the state of one router's discovery. It is not safe for concurrent
// use: one goroutine steps it.
type Core struct {
	config Config
	// What the policies want, for what is asked often.
	judge   judge // nil when no policy judges sources
	keepers []keeper
	ttl     time.Duration // 0: for ever
	gossips bool

	// What is believed. A service's line of the table is what was said of it,
	// and what is held, less what was dropped (table.go).
	table    map[string]Entry
	said     map[string]word
	holds    map[string]*hold
	usual    map[string]usual    // only with a keeper
	dropped  map[string][]string // addresses that evidence took out until the record changes
	touched  []string            // services whose line may differ after this step
	probes   probes
	zones    *zones // nil: nobody wants to know
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
	peer        int // whose table is believed, while basis is FromPeer

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
		said:        map[string]word{},
		holds:       map[string]*hold{},
		usual:       map[string]usual{},
		dropped:     map[string][]string{},
		probes:      probes{underWay: map[addressKey]*visit{}, asked: map[addressKey]time.Time{}},
		sessions:    make([]session, len(c.Sources)),
		accusations: accusations{seen: map[string]bool{}, found: map[addressKey]time.Time{}},
	}
	for i, source := range c.Sources {
		core.sessions[i].rhythm = newRhythm(source.BookmarkEvery)
	}
	if c.Zones {
		core.zones = newZones()
	}
	core.judge, _ = hook[judge](c.Policies)
	for _, p := range c.Policies {
		if k, ok := p.(keeper); ok {
			core.keepers = append(core.keepers, k)
		}
	}
	if e, ok := hook[expirer](c.Policies); ok {
		core.ttl = e.TTL()
	}
	if g, ok := hook[gossiper](c.Policies); ok {
		core.gossips = g.AsksPeers()
	}
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
	case Probed:
		c.probed(e)
	case Located:
		c.located(e)
	case Tick:
		c.probes.tick(c.now)
		c.expire()
		c.saveIfDue()
	}
	c.failOver()
	c.locate()
	c.flush()
	c.probe()
	return c.effects
}

// State returns the core's view of itself.
func (c *Core) State() State {
	s := State{
		Basis: c.basis, Synced: c.synced, Poisoned: c.poisoned, Revision: c.revision,
		HeardAt: c.heardAt, SilentAfter: c.sessions[c.current].rhythm.silence(),
		SavedAt: c.savedAt, Source: c.config.Sources[c.current].Name,
	}
	switch c.basis {
	case FromSeed:
		s.Source = "seed"
	case FromSnapshot:
		s.Source = "snapshot"
	case FromPeer:
		s.Source = c.config.Sources[c.peer].Name
	case Pending, FromSource:
	}
	for _, h := range c.holds {
		s.Kept += len(h.stays)
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
		return "the watch of " + name + " ended " + c.sessions[c.current].why
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
	} else {
		c.startFromSeed()
	}
	c.openList(c.current, 0)
}

func (c *Core) snapshotLoaded(e SnapshotLoaded) {
	if c.basis != Pending {
		return
	}
	if e.Entries == nil {
		c.startFromSeed()
		return
	}
	c.basis, c.revision, c.savedAt = FromSnapshot, e.Revision, e.SavedAt
	for _, entry := range e.Entries {
		c.take(entry.inOrder(), time.Time{})
	}
	for _, kept := range e.Kept {
		c.holdAgain(kept)
	}
	c.logf(slog.LevelInfo, "serving %d names from the snapshot of revision %d, %v old", len(e.Entries), e.Revision, c.now.Sub(e.SavedAt).Round(time.Second))
}

// startFromSeed makes the seed the table, where there is none yet.
func (c *Core) startFromSeed() {
	s, ok := hook[seeder](c.config.Policies)
	if !ok || !s.StartsFromSeed() || len(c.config.Seed) == 0 {
		return
	}
	c.basis = FromSeed
	for _, service := range slices.Sorted(maps.Keys(c.config.Seed)) {
		entry := Entry{Service: service}
		for _, addr := range c.config.Seed[service] {
			entry.Endpoints = append(entry.Endpoints, Endpoint{Addr: addr})
		}
		c.take(entry.inOrder(), time.Time{})
	}
	c.logf(slog.LevelInfo, "serving %d names from the seed", len(c.config.Seed))
}

// confirm notes that the table is complete up to revision, as of now.
func (c *Core) confirm(revision int64) {
	c.revision = revision
	c.heardAt, c.confirmedAt = c.now, c.now
	c.basis, c.synced, c.poisoned = FromSource, true, false
	c.accusations.open = ""
	c.saver.confirmed(c.now)
	c.expire()
}

func (c *Core) do(e Effect) { c.effects = append(c.effects, e) }

func (c *Core) logf(level slog.Level, format string, args ...any) {
	c.do(Log{Level: level, Text: fmt.Sprintf(format, args...)})
}
