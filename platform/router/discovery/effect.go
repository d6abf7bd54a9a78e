package discovery

import (
	"log/slog"
	"time"
)

// Effect is something the core wants done.
type Effect interface{ effect() }

// The effects.
type (
	// List asks for everything that a source has, after a delay.
	List struct {
		Session SessionID
		Source  int
		After   time.Duration
	}

	// Watch asks to follow a source from Revision on, after a delay.
	Watch struct {
		Session  SessionID
		Source   int
		Revision int64
		After    time.Duration
	}

	// Stop ends a session, whatever it is doing.
	Stop struct{ Session SessionID }

	// Dial opens a connection to a source that will be read soon, if ever, and
	// reads nothing. HangUp closes it if it has not been used.
	Dial   struct{ Source int }
	HangUp struct{ Source int }

	// Publish changes the data plane's table, in these services only. With
	// Pending there is no table any more.
	Publish struct {
		Entries []Entry
		Removed []string
		Pending bool
	}

	// LoadSnapshot asks for the last good table on disk.
	LoadSnapshot struct{}

	// SaveSnapshot writes this table to disk. Kept is what the registry took
	// out of Entries and is still in use.
	SaveSnapshot struct {
		Entries  []Entry
		Kept     []Kept
		Revision int64
		SavedAt  time.Time
	}

	// Probe asks whether the instance that the table names answers at its
	// address. Probed answers it, within probeTimeout.
	Probe struct {
		Service  string
		Endpoint Endpoint
	}

	// Locate asks a source in which zone each node is. Located answers it,
	// within locateTimeout.
	Locate struct{ Source int }

	// Log tells the operator.
	Log struct {
		Level slog.Level
		Text  string
	}
)

func (List) effect()         {}
func (Watch) effect()        {}
func (Stop) effect()         {}
func (Dial) effect()         {}
func (HangUp) effect()       {}
func (Publish) effect()      {}
func (LoadSnapshot) effect() {}
func (SaveSnapshot) effect() {}
func (Probe) effect()        {}
func (Locate) effect()       {}
func (Log) effect()          {}
