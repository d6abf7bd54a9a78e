package router

import (
	"time"

	"breakbank/platform/router/feed"
)

// Status is a router as an outsider may judge it.
type Status struct {
	// Synced: some source's list or watch was believed since the start. A
	// table that came from disk only is not synced.
	Synced bool
	// Poisoned: never synced, and the lists that arrive cannot be parsed.
	Poisoned bool
	// Source is the name of the source believed now, or "snapshot".
	Source string
	// Revision of the registry up to which the table is complete.
	Revision int64
	// Names in the table.
	Names int
	// LastHeardAt is when the source was last heard: a list, an event or a
	// bookmark. Zero: never.
	LastHeardAt time.Time
	// Requests taken, attempts sent for them, and direct reads of etcd
	// (lists and watches opened) since the start.
	Requests, Attempts, EtcdReads int64
	// Detail says in a sentence what the router is doing about discovery.
	Detail string
	// Partial: the table holds only names that somebody has asked for, or that
	// somebody runs, so that one which is missing says nothing.
	Partial bool
	// Table is a copy: name → addresses, sorted. Whoever asks while the table
	// stays as it is gets the same one: it must not be changed.
	Table map[string][]string
	// TableVersion is another one when the table has changed, and another one
	// for each router of a process; 0 where nobody keeps count.
	TableVersion uint64
}

// Status returns the router's view of the world now.
func (r *Router) Status() Status {
	state := r.table.state.Load()
	s := Status{
		Synced: state.Synced, Poisoned: state.Poisoned, Source: state.Source, Revision: state.Revision,
		LastHeardAt: state.HeardAt, Detail: state.Detail,
		Requests: r.requests.Load(), Attempts: r.attempts.Load(),
	}
	s.Table, s.TableVersion = r.table.copied()
	kind, _ := feed.ByName(r.config.Discovery) // The configuration was checked.
	s.Partial = kind.Partial
	if r.etcd != nil {
		s.EtcdReads = r.etcd.Reads()
	}
	s.Names = len(s.Table)
	return s
}
