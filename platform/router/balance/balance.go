// Package balance decides which instance of a service gets a request, and
// what a router may spend when that goes wrong.
//
// A strategy is a load metric × a picker; overlays (outlier ejection, retry
// budgets) apply to any strategy. Everything here is pure: time and
// randomness are arguments, there are no locks, goroutines or sockets, so
// that a router, a client-side balancer and a simulator all run this code.
// Nothing here may be used from two goroutines at once; the owner locks.
package balance

import (
	"math/rand/v2"
	"time"
)

// Endpoint is one instance as a strategy sees it.
type Endpoint struct {
	// ID is unique inside the service: the instance's address.
	ID string
	// Healthy is false for an endpoint that is ejected or was
	// unreachable lately. Pickers use such a one only when nothing better is
	// found.
	Healthy bool
	// Zone is where the instance runs, "" if unknown.
	Zone string
	// Weight is the share of traffic that it should get next to one of
	// weight 1: capacity, or less during slow start. 0 and less mean 1.
	Weight float64
}

func (e *Endpoint) weight() float64 {
	if e.Weight > 0 {
		return e.Weight
	}
	return 1
}

// Request is what a strategy may know of a request before it is sent.
type Request struct {
	// Method is the full gRPC method, "/package.Service/Method".
	Method string
	// Key is what the hashing strategies hash (metadata bb-hash-key), "" if
	// the caller gave none: such a request goes anywhere.
	Key string
	// Zone is the caller's, "" if unknown.
	Zone string
}

// EventKind says what became of an attempt, or of an endpoint.
type EventKind int

// The events of an endpoint's life, as a metric learns of them.
const (
	// Sent: an attempt was handed to the endpoint.
	Sent EventKind = iota
	// Done: the attempt ended, well or badly; Event.Took holds how long.
	Done
	// Gone: the endpoint left the table; forget it.
	Gone
	// Probed: the endpoint answered a probe that a Prober asked for. One
	// that does not answer yields no event.
	Probed
)

// Event is something that happened to an endpoint.
type Event struct {
	Kind EventKind
	ID   string
	At   time.Time
	// Took is how long the attempt lasted (Done), or what the instance says
	// its requests took lately (Probed).
	Took time.Duration
	// Failed is true for an attempt whose end counts against the endpoint.
	Failed bool
	// Load is what the instance said of itself (Done, Probed), nil if
	// nothing. It is read during Observe and not kept.
	Load *Load
}

// Load is an instance's own report, as ORCA carries it with a response or a
// probe (xDS OrcaLoadReport: rps_fractional, eps, application_utilization,
// and requests in flight).
type Load struct {
	// QPS and EPS are requests and errors a second.
	QPS, EPS float64
	// Utilization is 1 when the instance is fully used; it may be more.
	Utilization float64
	// InFlight is how many requests it is serving, from all callers.
	InFlight int
}

// Strategy picks endpoints and learns from what became of them. One instance
// serves one service.
type Strategy interface {
	// Pick returns an index into endpoints, which is not empty: the owner
	// asks nobody when there is nobody. The list may differ from one call to
	// the next; one that is missing, but not Gone, was left out of this pick
	// only (a retry avoids those it has tried).
	Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, r Request) int
	// Observe must be called with Sent for every pick that is used, with
	// Done when that attempt ends, and with Gone for every endpoint that
	// leaves the table.
	Observe(e Event)
}

// Prober is a Strategy that wants to ask instances how they are. After each
// Pick the owner calls Probes and probes those, outside its lock and without
// waiting; each answer becomes a Probed event.
type Prober interface {
	// Probes returns indices into endpoints, valid until the next call.
	Probes(now time.Time, rng *rand.Rand, endpoints []Endpoint) []int
}

// Informed is a Strategy that learns from what instances say of themselves
// with their answers (Event.Load of Done). They are asked to only for such a
// one, because saying it costs them something.
type Informed interface {
	// Informed does nothing; having it is what counts.
	Informed()
}

// Zoned is a Strategy that goes by where instances are (Endpoint.Zone). It is
// found out only for such a one, because that costs reading about their nodes.
type Zoned interface {
	// Zoned does nothing; having it is what counts.
	Zoned()
}

// Placed is a Strategy that divides a service's instances among its callers.
// Whoever knows which of how many callers this is says so before the first
// Pick, and again when that changes; until then the strategy draws a place.
type Placed interface {
	// Place says that this is caller index (from 0) of peers (at least 1).
	Place(index, peers int)
}

// Metric measures how loaded an endpoint is for its weight; lower is better.
// The unit is the metric's own, loads of different metrics do not compare.
type Metric interface {
	Load(now time.Time, e *Endpoint) float64
	Observe(e Event)
}

// Picker chooses among endpoints by a metric.
type Picker interface {
	Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, m Metric) int
}

// strategy is a picker × a metric.
type strategy struct {
	picker Picker
	metric Metric
}

func (s *strategy) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	return s.picker.Pick(now, rng, endpoints, s.metric)
}

func (s *strategy) Observe(e Event) { s.metric.Observe(e) }

// noLoad is the metric of pickers that do not look at load.
type noLoad struct{}

func (noLoad) Load(time.Time, *Endpoint) float64 { return 0 }
func (noLoad) Observe(Event)                     {}
