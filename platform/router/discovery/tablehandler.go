package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// What routers say to each other, beside the table itself. It is in the headers
// so that a question that is answered with "nothing newer", or by HEAD, still
// tells how old that is.
const (
	// tableRevision is the registry's revision up to which the table is
	// complete.
	tableRevision = "Table-Revision"
	// tableAge is how long ago the router's own source last spoke, in
	// milliseconds; a duration, so that clocks need not agree.
	tableAge = "Table-Age-Ms"
	// tableBasis is what the table rests on. It is always basisSource: a router
	// that has its table from a peer, from disk or from a seed does not answer.
	tableBasis  = "Table-Basis"
	basisSource = "source"
)

// maxTableReaders bounds the answers being made; who comes on top is told to
// ask another router.
const maxTableReaders = 16

// errStopped is returned to those who ask a Runner that has been closed.
var errStopped = errors.New("discovery has stopped")

// ask is a question to the core for its table.
type ask struct {
	after  int64
	answer chan Told
}

// Told returns the table as this router's own source told it, for other routers
// (Core.Told). It may be called from any goroutine.
func (r *Runner) Told(ctx context.Context, after int64) (Told, error) {
	a := ask{after: after, answer: make(chan Told, 1)}
	select {
	case r.asks <- a:
		return <-a.answer, nil
	case <-r.stopped:
		return Told{}, errStopped
	case <-ctx.Done():
		return Told{}, context.Cause(ctx)
	}
}

// TableHandler serves a router's table to other routers (Peer), as Runner.Told
// returns it:
//
//	GET /table?after=REVISION
//
// answers 200 with the services and their endpoints if the table is newer, 304
// if it is not, and 503 if no source stands behind it. HEAD answers the same
// without the table.
func TableHandler(told func(ctx context.Context, after int64) (Told, error)) http.Handler {
	readers := make(chan struct{}, maxTableReaders)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method != http.MethodGet && q.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "a table can only be read", http.StatusMethodNotAllowed)
			return
		}
		after, err := strconv.ParseInt(q.URL.Query().Get("after"), 10, 64)
		if err != nil && q.URL.Query().Has("after") {
			http.Error(w, fmt.Sprintf("after %q is no revision", q.URL.Query().Get("after")), http.StatusBadRequest)
			return
		}
		select {
		case readers <- struct{}{}:
			defer func() { <-readers }()
		default:
			http.Error(w, "too many routers read this table", http.StatusServiceUnavailable)
			return
		}
		wanted := after
		if q.Method == http.MethodHead {
			wanted = math.MaxInt64 // its revision is enough
		}
		t, err := told(q.Context(), wanted)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		case t.Revision == 0:
			http.Error(w, "no source stands behind this table", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set(tableBasis, basisSource)
		w.Header().Set(tableRevision, strconv.FormatInt(t.Revision, 10))
		w.Header().Set(tableAge, strconv.FormatInt(max(0, time.Since(t.HeardAt).Milliseconds()), 10))
		if t.Revision <= after {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if q.Method == http.MethodGet {
			_ = json.NewEncoder(w).Encode(peerTable{Services: t.Entries}) // who asked has gone
		}
	})
}

// peerTable is the body of an answer.
type peerTable struct {
	Services []Entry `json:"services"`
}
