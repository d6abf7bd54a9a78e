// Package discovery decides what a router believes about the instances of
// each service, above all when those who should know fall silent, contradict
// each other or send something that cannot be read.
//
// The core (Core.Step) is pure: events come in, effects go out; it has no
// clock, no randomness of its own and does no I/O. What an arm believes is
// made of a parser (what a record means) and policies (what to do when
// discovery misbehaves), both values in explicit tables. The shell (Runner)
// carries out the effects on Sources: API servers, and etcd itself.
//
// Read testdata/scripts for the algorithm: each script tells one story.
package discovery

import (
	"slices"
	"time"
)

// Endpoint is one instance of a service.
type Endpoint struct {
	Addr     string // host:port
	Instance string // "" when the record does not say
}

// Entry is what is known of one service. Entries are shared and never
// modified; a change makes a new one.
type Entry struct {
	Service   string
	Endpoints []Endpoint
	// Revision of the registry that brought this entry.
	Revision int64
}

// without returns the entry less one address.
func (e Entry) without(addr string) Entry {
	e.Endpoints = slices.DeleteFunc(slices.Clone(e.Endpoints), func(ep Endpoint) bool { return ep.Addr == addr })
	return e
}

func (e Entry) has(addr string) bool {
	return slices.ContainsFunc(e.Endpoints, func(ep Endpoint) bool { return ep.Addr == addr })
}

// SourceInfo names a place where the table can be read.
type SourceInfo struct {
	Name string
	// Direct marks etcd itself: read only while every API server is in doubt,
	// because thousands of routers on it would be an outage of their own.
	Direct bool
}

// Basis says what the table rests on.
type Basis int

// From nothing to a table that a source stands behind.
const (
	// Pending: there is no table; names cannot be resolved yet.
	Pending Basis = iota
	// FromSnapshot: the table comes from disk, no source has confirmed it.
	FromSnapshot
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
	SavedAt  time.Time // of the snapshot, while Basis is FromSnapshot
	Detail   string
}
