package overload

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Constants of the queue: controlled delay and adaptive LIFO as Facebook uses
// them (Maurer, Fail at Scale, ACM Queue 13/8, 2015: a request may wait
// N = 100 ms, or M = 5 ms if the queue has not been empty for N; values that
// served many of its services untuned). How many may wait is Envoy's
// max_pending_requests.
const (
	QueueInterval = 100 * time.Millisecond
	QueueTarget   = 5 * time.Millisecond
	QueueMax      = 1024
)

// QueueConfig is what an arm chooses.
type QueueConfig struct {
	// Interval is how long a request may wait while the queue empties now and
	// then.
	Interval time.Duration `yaml:"interval"`
	// Target is how long while it has not emptied for an Interval.
	Target time.Duration `yaml:"target"`
	// Max is how many may wait.
	Max int `yaml:"max"`
}

// WithDefaults fills in what is zero.
func (c QueueConfig) WithDefaults() QueueConfig {
	c.Interval = cmp.Or(c.Interval, QueueInterval)
	c.Target = cmp.Or(c.Target, min(c.Interval, QueueTarget))
	c.Max = cmp.Or(c.Max, QueueMax)
	return c
}

// Validate says what is wrong, and what would be right.
func (c QueueConfig) Validate() error {
	var errs []error
	if c.Target <= 0 || c.Interval < c.Target {
		errs = append(errs, fmt.Errorf("target %v must be positive and interval %v no less: Facebook's are %v and %v", c.Target, c.Interval, QueueTarget, QueueInterval))
	}
	if c.Max < 1 {
		errs = append(errs, fmt.Errorf("max %d must be at least 1: Envoy's is %d", c.Max, QueueMax))
	}
	return errors.Join(errs...)
}

// queue holds the requests that wait for a place under the concurrency limit.
// W is whatever tells one from another.
//
// A burst is waited out, first come, first served. A queue that has not been
// empty for an interval is one that never will be: in it the last comes first,
// since its caller is the likeliest to be still there, and nobody waits for
// longer than the target. In either case those that matter more go first.
type queue[W comparable] struct {
	config  QueueConfig
	waiting []waiter[W] // the oldest first
	emptyAt time.Time   // when it was last empty
}

type waiter[W comparable] struct {
	w     W
	level Criticality
	until time.Time
}

// join adds a request, and says until when it may wait; false if it is full.
func (q *queue[W]) join(now time.Time, w W, level Criticality) (until time.Time, ok bool) {
	if len(q.waiting) == 0 {
		q.emptyAt = now
	}
	if len(q.waiting) >= q.config.Max {
		return time.Time{}, false
	}
	patience := q.config.Interval
	if q.standing(now) {
		patience = q.config.Target
	}
	until = now.Add(patience)
	q.waiting = append(q.waiting, waiter[W]{w, level, until})
	return until, true
}

// standing says whether the queue has not been empty for an interval.
func (q *queue[W]) standing(now time.Time) bool { return now.Sub(q.emptyAt) > q.config.Interval }

// next returns the place of who comes next, -1 if nobody waits. One who has
// waited too long comes before all others, to be refused.
func (q *queue[W]) next(now time.Time) (place int, overdue bool) {
	place = -1
	standing := q.standing(now)
	for i := range q.waiting {
		if !now.Before(q.waiting[i].until) {
			return i, true
		}
		switch {
		case place < 0, q.waiting[i].level > q.waiting[place].level:
			place = i
		case standing && q.waiting[i].level == q.waiting[place].level:
			place = i
		}
	}
	return place, false
}

// take removes who is at a place.
func (q *queue[W]) take(now time.Time, place int) waiter[W] {
	taken := q.waiting[place]
	q.waiting = slices.Delete(q.waiting, place, place+1)
	if len(q.waiting) == 0 {
		q.emptyAt = now
	}
	return taken
}

// leave removes one who gave up; false if it no longer waits.
func (q *queue[W]) leave(now time.Time, w W) bool {
	place := slices.IndexFunc(q.waiting, func(have waiter[W]) bool { return have.w == w })
	if place < 0 {
		return false
	}
	q.take(now, place)
	return true
}
