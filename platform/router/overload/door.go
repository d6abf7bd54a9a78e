package overload

import (
	"math/rand/v2"
	"time"
)

// Door is a guard with a queue before it, for one service: a request that
// finds no place under the concurrency limit may wait for one. Without a queue
// in the configuration nobody ever waits, and a Door is a Guard.
//
// The owner tells it of every arrival and every end, and after each end asks
// Next until it says no more. W is whatever tells one waiting request from
// another, a pointer to it for instance.
type Door[W comparable] struct {
	guard *Guard
	queue queue[W]
	waits bool
}

// Answer is what a request is told at the door.
type Answer struct {
	// Admitted: it goes on, and must come to Done exactly once.
	Admitted bool
	// Waiting: it waits until Next hands it out, or, at the latest, Until.
	Waiting bool
	Until   time.Time
	// Reason is why it is refused, or waits (Reason…).
	Reason string
}

// Turn is a request that waits no longer: it is admitted, or refused for a
// reason.
type Turn[W comparable] struct {
	Who      W
	Admitted bool
	Reason   string
}

// NewDoor returns the door of one service. The configuration is valid and has
// its defaults.
func NewDoor[W comparable](c Config) *Door[W] {
	d := &Door[W]{guard: NewGuard(c)}
	if c.Queue != nil {
		d.waits, d.queue.config = true, *c.Queue
	}
	return d
}

// Arrive decides about a new request.
func (d *Door[W]) Arrive(now time.Time, rng *rand.Rand, level Criticality, w W) Answer {
	admitted, reason := d.guard.Admit(now, rng, level)
	if admitted {
		return Answer{Admitted: true}
	}
	if !d.waits || !worthWaiting(reason, level) {
		return Answer{Reason: reason}
	}
	until, ok := d.queue.join(now, w, level)
	if !ok {
		return Answer{Reason: ReasonQueue}
	}
	return Answer{Waiting: true, Until: until, Reason: reason}
}

// worthWaiting: a place may become free in time; a breaker does not close nor
// a service recover in that time, and what may be shed is shed.
func worthWaiting(reason string, level Criticality) bool {
	return level >= Critical && (reason == ReasonConcurrency || reason == ReasonCriticality)
}

// Done ends a request that was admitted. took is from its admission to its
// end, zero for a stream.
func (d *Door[W]) Done(now time.Time, took time.Duration, o Outcome) { d.guard.Done(now, took, o) }

// Next returns a request that waits no longer; false if there is none now.
func (d *Door[W]) Next(now time.Time, rng *rand.Rand) (Turn[W], bool) {
	place, overdue := d.queue.next(now)
	if place < 0 {
		return Turn[W]{}, false
	}
	if overdue {
		return Turn[W]{Who: d.queue.take(now, place).w, Reason: ReasonQueue}, true
	}
	level := d.queue.waiting[place].level
	admitted, reason := d.guard.Admit(now, rng, level)
	if !admitted && worthWaiting(reason, level) {
		return Turn[W]{}, false // still no place
	}
	return Turn[W]{Who: d.queue.take(now, place).w, Admitted: admitted, Reason: reason}, true
}

// Leave takes out a request that waits no longer, because its time is up or
// its caller gone. False means that Next has handed it out already: it has its
// answer, and if that was yes, owes a Done.
func (d *Door[W]) Leave(now time.Time, w W) bool { return d.queue.leave(now, w) }

// Waiting is how many wait.
func (d *Door[W]) Waiting() int { return len(d.queue.waiting) }

// Pressure is that of the guard.
func (d *Door[W]) Pressure(now time.Time) float64 { return d.guard.Pressure(now) }
