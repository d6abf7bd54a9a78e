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
}

// Request is what a strategy may know of a request before it is sent.
type Request struct {
	// Method is the full gRPC method, "/package.Service/Method".
	Method string
}

// EventKind says what became of an attempt.
type EventKind int

// The events of an endpoint's life, as a metric learns of them.
const (
	// Sent: an attempt was handed to the endpoint.
	Sent EventKind = iota
	// Done: the attempt ended, well or badly; Event.Took holds how long.
	Done
	// Gone: the endpoint left the table; forget it.
	Gone
)

// Event is something that happened to an endpoint.
type Event struct {
	Kind EventKind
	ID   string
	At   time.Time
	Took time.Duration
}

// Strategy picks endpoints and learns from what became of them.
type Strategy interface {
	// Pick returns an index into endpoints, which is not empty.
	Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, r Request) int
	// Observe must be called with Sent for every pick that is used, and with
	// Done when that attempt ends.
	Observe(e Event)
}

// Metric measures how loaded an endpoint is; lower is better. The unit is the
// metric's own, loads of different metrics do not compare.
type Metric interface {
	Load(now time.Time, id string) float64
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

func (noLoad) Load(time.Time, string) float64 { return 0 }
func (noLoad) Observe(Event)                  {}
