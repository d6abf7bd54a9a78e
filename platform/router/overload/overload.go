// Package overload decides which requests a service gets when it is asked for
// more than it can do: it refuses some at once, so that the others are
// answered in time.
//
// A Limiter decides about a request by what became of those before; a Guard
// puts together those that are configured, a Door adds a queue, Deadlines say
// when a request is not worth sending any more. Everything here is pure: time
// and randomness are arguments, there are no locks, goroutines or sockets, so
// that a router, a client-side balancer and a simulator all run this code.
// Nothing here may be used from two goroutines at once; the owner locks.
//
// All of it serves one service of one router. What a router refuses has not
// been sent, so it may be told as Unavailable.
package overload

import (
	"math/rand/v2"
	"time"
)

// Outcome is what the end of an admitted request says of the service.
type Outcome int

// The outcomes.
const (
	// Answered: the service did its work, though its answer may be a no.
	Answered Outcome = iota
	// Failed: the service failed, refused for want of capacity, or did not
	// answer in time.
	Failed
	// Ignored: nothing can be said. The request never reached the service, or
	// the caller left.
	Ignored
)

// Limiter decides about requests to one service.
type Limiter interface {
	// Admit says whether a request may go on now. If so it counts as under way
	// until Done.
	Admit(now time.Time, rng *rand.Rand, level Criticality) bool
	// Done ends a request that was admitted. took is from Admit to its end,
	// zero for a stream, whose length says nothing.
	Done(now time.Time, took time.Duration, o Outcome)
	// Pressure is how near the limiter is to refusing: 0 not at all, 1 when
	// it refuses all there is.
	Pressure(now time.Time) float64
}

// Kind is an overlay that an arm can name under `overlays:`.
type Kind struct {
	Name, About string
	// On says whether a configuration has it.
	On func(Config) bool
	// New returns the limiter of a configuration that has it; nil for an
	// overlay that is not a limiter itself.
	New func(Config) Limiter
}

// Overlays is every one there is. The limiters are asked in this order; one
// that counts what it refuses comes last, so that it never counts what another
// refused. Adding one touches its own file, a line here and its key in Config;
// the conformance tests iterate this table.
var Overlays = []Kind{
	{
		ReasonConcurrency, "as many requests at once as latency bears (Netflix, Gradient2)",
		func(c Config) bool { return c.Concurrency != nil },
		func(c Config) Limiter { return newGradient(*c.Concurrency) },
	},
	{
		ReasonBreaker, "none at all for a while when half of them fail (Hystrix); the bad example",
		func(c Config) bool { return c.Breaker != nil },
		func(c Config) Limiter { return newBreaker(*c.Breaker) },
	},
	{
		ReasonAdmission, "fewer, the more of them fail (SRE book, client-side throttling)",
		func(c Config) bool { return c.Admission != nil },
		func(c Config) Limiter { return newAdmission(*c.Admission) },
	},
	{
		ReasonCriticality, "those that matter less are refused first (SRE book)",
		func(c Config) bool { return c.Criticality != nil }, nil,
	},
	{
		ReasonQueue, "a short wait for a place, and the last first once the queue does not empty (Facebook, CoDel and adaptive LIFO)",
		func(c Config) bool { return c.Queue != nil }, nil,
	},
	{
		ReasonDeadline, "what cannot finish in its caller's time is not sent (SRE book)",
		func(c Config) bool { return c.Deadline != nil }, nil,
	},
}

// Why a request was refused, for a metric's label and a caller's message. A
// limiter's reason is its name in the table.
const (
	ReasonConcurrency = "concurrency"
	ReasonBreaker     = "breaker"
	ReasonAdmission   = "admission"
	// ReasonCriticality: others matter more, and the service is busy.
	ReasonCriticality = "criticality"
	// ReasonQueue: it waited too long, or the queue is full.
	ReasonQueue = "queue"
	// ReasonDeadline: too little is left of its caller's time.
	ReasonDeadline = "deadline"
)
