package loadgen

import (
	"context"
	"errors"
	"math"
	"time"
)

// capFactor gives the default cap on requests in flight: rate × 15 s × 1.2
// (measurement.md). 15 s is the longest patience, so by Little's law an
// otherwise sound bank in which every request hangs stays below it.
const capFactor = 1.2

// Runner offers schedules to the bank.
type Runner struct {
	Targets Targets
	// MaxInFlight caps the requests in flight; 0 means peak rate × 15 s × 1.2.
	MaxInFlight int
	// Origin is the zero of the clocks of the records; the zero time means the
	// start of the load. A run with several loads gives them all the same.
	Origin time.Time
	// Grace bounds how long requests in flight may go on after the context of
	// Run has ended; 0 leaves each its patience.
	Grace time.Duration
}

// Summary says what a runner did with a schedule.
type Summary struct {
	// Scheduled is how many journeys were due: all of the schedule, or those up
	// to the moment at which it was interrupted.
	Scheduled int
	// Sent + Dropped + Late is how many records were made. Dropped were kept
	// back by the cap; Late came up after their patience was over.
	Sent, Dropped, Late int
	// PeakInFlight is the most requests in flight at once, of MaxInFlight.
	PeakInFlight, MaxInFlight int
	// Interrupted says that the context ended before the schedule.
	Interrupted bool
}

// Run offers a schedule with the defaults of a Runner.
func Run(ctx context.Context, s *Schedule, start time.Time, t Targets, sink Sink) (Summary, error) {
	return (&Runner{Targets: t}).Run(ctx, s, start, sink)
}

// Run sends each journey at start plus its time, whatever became of those
// before, and hands a record of each to sink. It returns when all have ended,
// which each does by its patience.
//
// When ctx ends, nothing more is sent and what is in flight is waited for; that
// is not an error. Errors are those of targets that cannot be used.
func (r *Runner) Run(ctx context.Context, s *Schedule, start time.Time, sink Sink) (Summary, error) {
	if sink == nil {
		return Summary{}, errors.New("run load: no sink for the records")
	}
	e, err := dial(r.Targets, needs(s))
	if err != nil {
		return Summary{}, err
	}
	defer e.close()

	now := time.Now()
	start = monotonic(start, now)
	origin := start
	if !r.Origin.IsZero() {
		origin = monotonic(r.Origin, now)
	}
	settled, stop := context.WithDeadline(ctx, start)
	e.settle(settled)
	stop()

	maxInFlight := r.MaxInFlight
	if maxInFlight <= 0 {
		maxInFlight = max(1, int(math.Ceil(s.PeakPerS*longestPatience.Seconds()*capFactor)))
	}
	// Requests outlive ctx: it ends the sending, not what was sent.
	requests, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelRequests()
	c := &crew{
		schedule: s, start: start, origin: origin, edges: e, sink: sink,
		ctx: requests, limit: int64(maxInFlight), jobs: make(chan int),
	}
	next := c.dispatchAll(ctx)

	summary := Summary{Scheduled: len(s.Arrivals), MaxInFlight: maxInFlight}
	if next < len(s.Arrivals) {
		summary.Interrupted = true
		summary.Scheduled = max(next, s.Until(time.Since(start)))
		if r.Grace > 0 {
			defer time.AfterFunc(r.Grace, cancelRequests).Stop()
		}
	}
	c.finish()
	summary.Sent, summary.Dropped, summary.Late = int(c.sent.Load()), c.dropped, int(c.late.Load())
	summary.PeakInFlight = int(c.peak)
	return summary, nil
}

// dispatchAll starts each journey when it is due and returns the first that it
// did not start, because ctx ended. What is due at once goes out at once; no
// arrival is ever skipped, however late this goroutine comes to run.
func (c *crew) dispatchAll(ctx context.Context) int {
	timer := newStoppedTimer()
	defer timer.Stop()
	for seq := range c.schedule.Arrivals {
		if !sleepUntil(ctx, timer, c.start.Add(c.schedule.Arrivals[seq].At)) {
			return seq
		}
		c.dispatch(seq)
	}
	return len(c.schedule.Arrivals)
}

// needs says which journeys a schedule has.
func needs(s *Schedule) (need [JourneyCount]bool) {
	for i := range s.Arrivals {
		need[s.Arrivals[i].Journey] = true
	}
	return need
}

// monotonic makes t comparable to monotonic clock readings: a time that came
// from afar has only its wall clock, which may be set while a load runs.
func monotonic(t, now time.Time) time.Time { return now.Add(t.Sub(now)) }
