package discovery

import (
	"encoding/json"
	"time"
)

// Event is something that the core is told. Events of a session that the core
// has ended meanwhile are ignored, so the shell may deliver them late.
type Event interface{ event() }

// SessionID ties an event to the List or Watch effect that it answers.
type SessionID int64

// The events.
type (
	// Start begins. It comes first and once.
	Start struct{}

	// SnapshotLoaded answers LoadSnapshot. Entries is nil when there is none.
	SnapshotLoaded struct {
		Entries  []Entry
		Kept     []Kept
		Revision int64
		SavedAt  time.Time
	}

	// Listed brings a source's records, as they were on the wire. HeardAt is
	// when a peer's own source last spoke; zero for any other source.
	Listed struct {
		Session  SessionID
		Revision int64
		Items    []json.RawMessage
		HeardAt  time.Time
	}

	// ListFailed says that a list was not answered, broke off or ran out of time.
	ListFailed struct {
		Session SessionID
		Err     error
	}

	// Changed is one record that a watch reports.
	Changed struct {
		Session  SessionID
		Revision int64
		Deleted  bool
		Item     json.RawMessage
	}

	// Bookmark says that a watch has reported everything up to Revision. It is the
	// only proof that a silent watch is silent because nothing happens. A
	// peer's says that it has nothing newer; HeardAt is as for Listed.
	Bookmark struct {
		Session  SessionID
		Revision int64
		HeardAt  time.Time
	}

	// WatchBroken says that a watch could not be opened or has ended; Gone, that
	// its revision is too old and only a list can help.
	WatchBroken struct {
		Session SessionID
		Gone    bool
		Err     error
	}

	// Evidence comes from the data plane, not from a source.
	Evidence struct {
		Kind    EvidenceKind
		Service string
		Addr    string
	}

	// Probed answers a Probe. Late says that time ran out, which proves less
	// than a refusal.
	Probed struct {
		Service, Addr string
		Alive, Late   bool
	}

	// Located answers Locate: the zone of every node, "" for one in none.
	Located struct {
		Zones map[string]string
		Err   error
	}

	// Tick comes every TickEvery.
	Tick struct{}
)

// TickEvery is the grain of everything the core does without being asked.
const TickEvery = 100 * time.Millisecond

// EvidenceKind says what the data plane found.
type EvidenceKind int

const (
	// Unreachable: the address takes no connection.
	Unreachable EvidenceKind = iota
	// Misdelivered: someone else answers at the address.
	Misdelivered
)

func (k EvidenceKind) String() string {
	if k == Misdelivered {
		return "misdelivered"
	}
	return "unreachable"
}

func (Start) event()          {}
func (SnapshotLoaded) event() {}
func (Listed) event()         {}
func (ListFailed) event()     {}
func (Changed) event()        {}
func (Bookmark) event()       {}
func (WatchBroken) event()    {}
func (Evidence) event()       {}
func (Probed) event()         {}
func (Located) event()        {}
func (Tick) event()           {}
