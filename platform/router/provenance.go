package router

import (
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// liveFor is how long after its source was last heard a table still counts as
// live: API servers send a bookmark each second, two may be lost. A source that
// speaks more rarely when it is well has as much more time (State.SilentAfter).
// It is a yardstick for outsiders, the same for every arm, whatever the arm
// believes.
const liveFor = 3 * time.Second

// route says what the table rests on now, and how old that is.
func route(s *discovery.State, now time.Time) (rpc.Route, time.Duration) {
	switch s.Basis {
	case discovery.FromSnapshot:
		return rpc.RouteSnapshot, now.Sub(s.SavedAt)
	case discovery.FromSeed:
		return rpc.RouteSeed, 0
	case discovery.FromSource, discovery.FromPeer:
		age := now.Sub(s.HeardAt)
		if age <= max(liveFor, s.SilentAfter) {
			return rpc.RouteLive, age
		}
		return rpc.RouteStale, age
	case discovery.Pending:
	}
	return "", 0
}

// provenance is the server's trailers with the router's own behind them; who
// reads them merges the two (rpc.ParseProvenance).
func (q *request) provenance(e *endpoint, server metadata.MD) metadata.MD {
	md := passable(server)
	if md == nil {
		md = metadata.MD{}
	}
	if from, age := route(q.router.table.state.Load(), time.Now()); from != "" {
		q.router.counters.Routed(from)
		md.Append(rpc.RouteTrailer, string(from))
		md.Append(rpc.RouteAgeTrailer, strconv.FormatInt(max(0, age).Milliseconds(), 10))
	}
	if q.attempts > 0 {
		md.Append(rpc.AttemptsTrailer, strconv.Itoa(q.attempts))
	}
	if e != nil && e.Instance != "" && len(md.Get(rpc.InstanceTrailer)) == 0 {
		md.Set(rpc.InstanceTrailer, e.Instance)
	}
	return md
}
