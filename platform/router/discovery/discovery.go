// Package discovery decides what a router believes about the instances of
// each service, above all when those who should know fall silent, contradict
// each other or send something that cannot be read.
//
// The core (Core.Step) is pure: events come in, effects go out; it has no
// clock, no randomness of its own and does no I/O. What an arm believes is
// made of a parser (what a record means) and policies (what to do when
// discovery misbehaves), both values in explicit tables. The shell (Runner)
// carries out the effects on Sources: API servers, other routers, and etcd
// itself.
//
// Read testdata/scripts for the algorithm: each script tells one story.
package discovery

import (
	"slices"
	"strings"
	"time"
)

// Endpoint is one instance of a service.
type Endpoint struct {
	Addr     string // host:port
	Instance string // "" when the record does not say
	// Zone is where it runs; "" when nobody has said, or nobody wants to know
	// (Config.Zones).
	Zone string `json:",omitempty"`
}

// is says whether two are the same instance, wherever they are thought to be.
func (e Endpoint) is(other Endpoint) bool {
	return e.Addr == other.Addr && e.Instance == other.Instance
}

// Entry is what is known of one service. Entries are shared and never
// modified; a change makes a new one.
type Entry struct {
	Service   string
	Endpoints []Endpoint
	// Revision of the registry that brought this entry.
	Revision int64
	// lacking are the nodes, by address, whose zone is not known (zones.go);
	// only between reading a record and taking it.
	lacking map[string]string
}

// without returns the entry less one address.
func (e Entry) without(addr string) Entry {
	e.Endpoints = slices.DeleteFunc(slices.Clone(e.Endpoints), func(ep Endpoint) bool { return ep.Addr == addr })
	return e
}

// inOrder returns the entry with its endpoints sorted by address, as entries
// that are believed are.
func (e Entry) inOrder() Entry {
	if !slices.IsSortedFunc(e.Endpoints, byAddr) {
		e.Endpoints = slices.SortedFunc(slices.Values(e.Endpoints), byAddr)
	}
	return e
}

func byAddr(a, b Endpoint) int { return strings.Compare(a.Addr, b.Addr) }

func (e Entry) has(addr string) bool {
	return slices.ContainsFunc(e.Endpoints, func(ep Endpoint) bool { return ep.Addr == addr })
}

// SourceInfo names a place where the table can be read.
type SourceInfo struct {
	Name string
	// Direct marks etcd itself: read only while every API server is in doubt,
	// because thousands of routers on it would be an outage of their own.
	Direct bool
	// Peer marks another router, which knows what it was told.
	Peer bool
	// BookmarkEvery is how often it is expected to send a bookmark, until it has
	// been heard often enough to tell (rhythm.go). 0: each second.
	BookmarkEvery time.Duration
}

func (s SourceInfo) isAPIServer() bool { return !s.Direct && !s.Peer }

// Basis says what the table rests on.
type Basis int

// From nothing to a table that a source stands behind.
const (
	// Pending: there is no table; names cannot be resolved yet.
	Pending Basis = iota
	// FromSeed: the table was shipped with the deployment.
	FromSeed
	// FromSnapshot: the table comes from disk, no source has confirmed it.
	FromSnapshot
	// FromPeer: another router's source said so, at State.HeardAt.
	FromPeer
	// FromSource: a source said so, at State.HeardAt last.
	FromSource
)

// State is the core's view of itself, for the data plane and for outsiders.
type State struct {
	Basis    Basis
	Source   string // the one believed now
	Synced   bool   // some source was believed since the start
	Poisoned bool   // never synced, and the lists that arrive cannot be parsed
	Revision int64  // the table is complete up to here
	HeardAt  time.Time
	// SilentAfter is how long the source may say nothing before that means
	// something; it follows the source's own rhythm. 0: nobody knows.
	SilentAfter time.Duration
	SavedAt     time.Time // of the snapshot, while Basis is FromSnapshot
	Kept        int       // addresses in the table that the registry took out
	Detail      string
}
