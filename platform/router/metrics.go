package router

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/platform/router/balance"
	"breakbank/platform/rpc"
)

const (
	// statusCodes is how many codes gRPC has: 0 to 16 (codes.Unauthenticated).
	statusCodes = 17

	// Latency is counted in buckets that double from latencyFirst, so that a
	// bucket is found by the length of a number in bits. The first is about what
	// a call inside one machine takes, the last but one, 8.192 s, is under the
	// longest that anything here waits (10 s); one more takes what is beyond.
	latencyFirst   = 250 * time.Microsecond
	latencyBuckets = 17
)

// Metrics is what a router has counted since it started: plain data, a copy
// that the caller may keep.
type Metrics struct {
	// Services of the table, by name. One that leaves the table takes its
	// counters with it.
	Services []ServiceMetrics
	// Unrouted are the requests for names that the table does not have, all in
	// one, for their number has no bound.
	Unrouted ServiceMetrics
	// Routes counts answers by what the table rested on.
	Routes map[rpc.Route]int64
	// Waiting, Connections: requests that wait for a better table, and callers'
	// connections, now.
	Waiting, Connections int64
}

// ServiceMetrics is what was counted for one service.
type ServiceMetrics struct {
	Name string
	// Requests taken; Attempts sent for them; Retries, those attempts that the
	// retry budget paid for; Refused, the requests that were answered without
	// any server having executed them; Ejections of endpoints.
	Requests, Attempts, Retries, Refused, Ejections int64
	// Active is how many requests are under way.
	Active int64
	// Codes counts answers by gRPC status code.
	Codes map[codes.Code]int64
	// Latency is from a request's headers to its status; of a stream, its life.
	Latency Latency
	// Endpoints in the table's order.
	Endpoints []EndpointMetrics
}

// Latency is a histogram. Its buckets are cumulative: each counts what took
// no longer than its bound.
type Latency struct {
	Count   int64
	Sum     time.Duration
	Buckets []LatencyBucket
}

// LatencyBucket is one bound of a histogram.
type LatencyBucket struct {
	AtMost time.Duration
	Count  int64
}

// EndpointState says whether an endpoint is picked.
type EndpointState string

// The states of an endpoint.
const (
	EndpointUsable      EndpointState = "usable"
	EndpointUnreachable EndpointState = "unreachable" // it took no connection lately
	EndpointEjected     EndpointState = "ejected"     // an outlier by its answers
)

// EndpointStates lists them.
var EndpointStates = []EndpointState{EndpointUsable, EndpointUnreachable, EndpointEjected}

// EndpointMetrics is one instance as the router sees it.
type EndpointMetrics struct {
	Addr     string
	Instance string // "" when the table does not say
	State    EndpointState
	Active   int // attempts under way
}

// Metrics returns a copy of all counters.
func (r *Router) Metrics() Metrics {
	m := Metrics{
		Unrouted:    r.counters.unrouted.snapshot(""),
		Routes:      map[rpc.Route]int64{},
		Waiting:     r.table.waiting.Load(),
		Connections: r.counters.connections.Load(),
	}
	for i, route := range countedRoutes {
		if n := r.counters.routes[i].Load(); n > 0 {
			m.Routes[route] = n
		}
	}
	now := time.Now()
	r.table.services.Range(func(name, s any) bool {
		counted := s.(*service).metrics.snapshot(name.(string))
		counted.Endpoints = s.(*service).examine(now)
		m.Services = append(m.Services, counted)
		return true
	})
	slices.SortFunc(m.Services, func(a, b ServiceMetrics) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

// examine says how each endpoint stands.
func (s *service) examine(now time.Time) []EndpointMetrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := make([]balance.Endpoint, len(s.endpoints))
	for i, e := range s.endpoints {
		view[i] = balance.Endpoint{ID: e.Addr, Healthy: true}
	}
	s.mark(now, view)
	examined := make([]EndpointMetrics, len(s.endpoints))
	for i, e := range s.endpoints {
		examined[i] = EndpointMetrics{Addr: e.Addr, Instance: e.Instance, State: EndpointUsable, Active: e.active}
		switch {
		case e.reached.Skipped(now):
			examined[i].State = EndpointUnreachable
		case !view[i].Healthy:
			examined[i].State = EndpointEjected
		}
	}
	return examined
}

// counters are those of a router that belong to no service.
type counters struct {
	unrouted    serviceMetrics
	connections atomic.Int64
	routes      [len(countedRoutes)]atomic.Int64
}

// countedRoutes are the routes that a router itself reports.
var countedRoutes = [...]rpc.Route{rpc.RouteLive, rpc.RouteStale, rpc.RouteSnapshot, rpc.RouteSeed}

// Routed counts an answer by what the table rested on.
func (c *counters) Routed(route rpc.Route) {
	if i := slices.Index(countedRoutes[:], route); i >= 0 {
		c.routes[i].Add(1)
	}
}

// serviceMetrics counts what happens to the requests of one service. Every
// method is a few atomic additions, and may be called from any goroutine. A
// request is counted by Request when it comes and by Done when it ends; what
// lies between is under way.
type serviceMetrics struct {
	requests, attempts, retries, refused, ejections atomic.Int64

	codes   [statusCodes]atomic.Int64
	latency [latencyBuckets]atomic.Int64
	took    atomic.Int64 // ns, of all that are done
}

// Request counts a request taken.
func (m *serviceMetrics) Request() { m.requests.Add(1) }

// Attempt counts an attempt sent for one.
func (m *serviceMetrics) Attempt() { m.attempts.Add(1) }

// Retry counts an attempt that the retry budget paid for.
func (m *serviceMetrics) Retry() { m.retries.Add(1) }

// Refuse counts a request that was answered without any server having
// executed it.
func (m *serviceMetrics) Refuse() { m.refused.Add(1) }

// Eject counts the ejection of an endpoint.
func (m *serviceMetrics) Eject() { m.ejections.Add(1) }

// Done counts the end of a request. A code that gRPC does not have is counted
// as Unknown, as a client reads it.
func (m *serviceMetrics) Done(code codes.Code, took time.Duration) {
	if code >= statusCodes {
		code = codes.Unknown
	}
	m.codes[code].Add(1)
	m.latency[latencyBucket(took)].Add(1)
	m.took.Add(int64(took))
}

// latencyBucket finds the first bucket whose bound is not under d. Bucket i
// ends at latencyFirst·2^i; the last has no end.
func latencyBucket(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return min(bits.Len64(uint64((d-1)/latencyFirst)), latencyBuckets-1)
}

func (m *serviceMetrics) snapshot(name string) ServiceMetrics {
	s := ServiceMetrics{
		Name: name, Codes: map[codes.Code]int64{},
		Attempts: m.attempts.Load(), Retries: m.retries.Load(),
		Refused: m.refused.Load(), Ejections: m.ejections.Load(),
	}
	done := int64(0)
	for code := range m.codes {
		if n := m.codes[code].Load(); n > 0 {
			s.Codes[codes.Code(code)] = n
			done += n
		}
	}
	// After those that are done, or more might be done than were taken.
	s.Requests = m.requests.Load()
	s.Active = s.Requests - done
	s.Latency.Sum = time.Duration(m.took.Load())
	for i := range m.latency {
		s.Latency.Count += m.latency[i].Load()
		if i < latencyBuckets-1 {
			s.Latency.Buckets = append(s.Latency.Buckets, LatencyBucket{AtMost: latencyFirst << i, Count: s.Latency.Count})
		}
	}
	return s
}

// Add adds what was counted for another service, its endpoints included.
func (m *ServiceMetrics) Add(other ServiceMetrics) {
	m.Requests += other.Requests
	m.Attempts += other.Attempts
	m.Retries += other.Retries
	m.Refused += other.Refused
	m.Ejections += other.Ejections
	m.Active += other.Active
	sum := maps.Clone(m.Codes)
	for code, n := range other.Codes {
		sum[code] += n
	}
	m.Codes = sum
	m.Latency.Count += other.Latency.Count
	m.Latency.Sum += other.Latency.Sum
	m.Latency.Buckets = slices.Clone(m.Latency.Buckets)
	for i := range m.Latency.Buckets {
		m.Latency.Buckets[i].Count += other.Latency.Buckets[i].Count
	}
	m.Endpoints = slices.Concat(m.Endpoints, other.Endpoints)
}
