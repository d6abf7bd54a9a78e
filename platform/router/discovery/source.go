package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// resource is the kind of record that routers read.
const resource = "endpoints"

// ErrGone is returned by a source whose history does not reach back to the
// revision asked for.
var ErrGone = errors.New("revision is gone")

// Source is a place where the table can be read. Its methods may be called
// from several goroutines and end when their context does.
type Source interface {
	Info() SourceInfo
	// List returns every record as it is on the wire, and the revision of the
	// registry that they are of.
	List(ctx context.Context) (revision int64, items []json.RawMessage, err error)
	// Watch calls report for everything that happens after a revision, until
	// it fails or ctx ends. Its error wraps ErrGone if only a list can help.
	Watch(ctx context.Context, revision int64, report func(Notice)) error
	// Close ends what the source holds open; no call may be under way.
	Close()
}

// dialler is a Source that can be connected to before it is read.
type dialler interface {
	// Dial opens a connection and keeps it for the next read, until that takes
	// it or ctx ends. What fails will fail again when it is read.
	Dial(ctx context.Context)
}

// locator is a Source that knows in which zone nodes are.
type locator interface {
	// Zones returns the zone of every node, "" for one in none.
	Zones(ctx context.Context) (map[string]string, error)
}

// Notice is one thing that a watch reports.
type Notice struct {
	Bookmark bool
	Deleted  bool
	Revision int64
	Item     json.RawMessage // of a change
	// Record says which record a change is of. A source that leaves it out is
	// told in full even when the core is behind.
	Record string
	// HeardAt is when a peer's own source last spoke; zero for any other.
	HeardAt time.Time
}
