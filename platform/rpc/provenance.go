package rpc

import (
	"context"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
)

// Route is where the knowledge came from by which a request found its server.
type Route string

// The routes, from best to worst.
const (
	RouteLive     Route = "live"     // a table that discovery keeps fresh
	RouteStale    Route = "stale"    // a table that may be behind
	RouteSnapshot Route = "snapshot" // a table from disk
	RouteSeed     Route = "seed"     // a list shipped with the deployment
	RouteFallback Route = "fallback" // not the primary: stand-in decided
)

// badness orders routes; an unknown one ranks with the best, so that a newer
// peer cannot make a request look worse than it knows.
func (r Route) badness() int {
	switch r {
	case RouteStale:
		return 2
	case RouteSnapshot:
		return 3
	case RouteSeed:
		return 4
	case RouteFallback:
		return 5
	case RouteLive:
		return 1
	default:
		return 0
	}
}

// Provenance is what the hops below a request report about their routes.
type Provenance struct {
	Route    Route         // the worst of them, "" when nobody reported one
	Age      time.Duration // of the oldest table, in whole milliseconds
	Attempts int64         // of all hops, retries included
}

// merge adds what another hop reports.
func (p *Provenance) merge(q Provenance) {
	if q.Route.badness() > p.Route.badness() {
		p.Route = q.Route
	}
	p.Age = max(p.Age, q.Age)
	p.Attempts += q.Attempts
}

// Metadata returns the trailers (or HTTP headers) that report p. What nobody
// reported is left out.
func (p Provenance) Metadata() metadata.MD {
	md := metadata.MD{}
	if p.Route != "" {
		md.Set(RouteTrailer, string(p.Route))
		md.Set(RouteAgeTrailer, strconv.FormatInt(p.Age.Milliseconds(), 10))
	}
	if p.Attempts > 0 {
		md.Set(AttemptsTrailer, strconv.FormatInt(p.Attempts, 10))
	}
	return md
}

// ParseProvenance reads trailers. A router adds its own values behind those
// of the server, so a name may have several: they are merged. What cannot be
// read counts for nothing.
func ParseProvenance(trailer metadata.MD) Provenance {
	var p Provenance
	for _, v := range trailer.Get(RouteTrailer) {
		p.merge(Provenance{Route: Route(v)})
	}
	for _, v := range trailer.Get(RouteAgeTrailer) {
		if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
			p.merge(Provenance{Age: time.Duration(ms) * time.Millisecond})
		}
	}
	for _, v := range trailer.Get(AttemptsTrailer) {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			p.merge(Provenance{Attempts: n})
		}
	}
	return p
}

// Collector gathers the provenance of all calls made for one request. It is
// safe for concurrent use.
type Collector struct {
	mu  sync.Mutex
	all Provenance
}

// Provenance returns what has been gathered so far.
func (c *Collector) Provenance() Provenance {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

func (c *Collector) add(p Provenance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.merge(p)
}

type scopeContext struct{}

// scope is what is known of the request that a context belongs to. One
// allocation holds it and its collector.
type scope struct {
	collector *Collector
	own       Collector
	id        string
}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeContext{}).(*scope)
	return s
}

// serving returns the context of a request with an id.
func serving(ctx context.Context, id string) (context.Context, *Collector) {
	s := &scope{id: id}
	s.collector = &s.own
	return context.WithValue(ctx, scopeContext{}, s), s.collector
}

// WithProvenance returns a context whose calls report to the collector
// returned. A [Server] does this for each request it serves; it is for edges
// that serve something other than gRPC.
func WithProvenance(ctx context.Context) (context.Context, *Collector) {
	return serving(ctx, RequestID(ctx))
}

// MarkFallback records that a fallback decided the request being served.
func MarkFallback(ctx context.Context) {
	collect(ctx, Provenance{Route: RouteFallback})
}

// collect reports p to the collector of ctx, if it has one.
func collect(ctx context.Context, p Provenance) {
	if s := scopeOf(ctx); s != nil && s.collector != nil {
		s.collector.add(p)
	}
}
