package loadgen

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// idleMax is how many workers wait for a next journey; more than that end, so
// that an outage leaves no thousands of stacks to be scanned at each collection.
const idleMax = 256

// crew performs journeys, each in a goroutine of its own while it lasts, and
// owns these goroutines. dispatch and finish belong to one goroutine.
type crew struct {
	schedule      *Schedule
	start, origin time.Time
	edges         *edges
	sink          Sink
	ctx           context.Context
	limit         int64

	jobs    chan int // unbuffered: a send succeeds only when a worker waits
	workers sync.WaitGroup

	inFlight, idle, sent, late atomic.Int64

	dropped int   // dispatching goroutine only
	peak    int64 // dispatching goroutine only
}

// dispatch starts a journey without ever waiting for one: it goes to an idle
// worker, or a new one; beyond the cap, it is dropped and recorded as failed.
func (c *crew) dispatch(seq int) {
	if c.inFlight.Load() >= c.limit {
		c.dropped++
		c.unsent(seq, CodeDropped, "the cap on requests in flight was reached")
		return
	}
	c.peak = max(c.peak, c.inFlight.Add(1))
	select {
	case c.jobs <- seq:
	default:
		c.workers.Go(func() { c.work(seq) })
	}
}

// finish waits until every journey has ended.
func (c *crew) finish() {
	close(c.jobs)
	c.workers.Wait()
}

// work is one worker: it performs journeys until no more come, or enough others
// wait for them.
func (c *crew) work(seq int) {
	v := newVisit()
	for ok := true; ok; {
		c.perform(v, seq)
		c.inFlight.Add(-1)
		if c.idle.Add(1) > idleMax {
			c.idle.Add(-1)
			return
		}
		seq, ok = <-c.jobs
		c.idle.Add(-1)
	}
}

// perform performs one journey and records it.
func (c *crew) perform(v *visit, seq int) {
	a := &c.schedule.Arrivals[seq]
	spec := &Journeys[a.Journey]
	v.seq, v.arrival, v.customer = seq, a, &c.schedule.Customers[a.Customer]
	v.key, v.write, v.provenance = c.schedule.Key(seq), spec.Write, Provenance{}
	v.intended = c.start.Add(a.At)
	v.deadline = v.intended.Add(spec.Patience)

	sent := time.Now()
	if !sent.Before(v.deadline) {
		c.late.Add(1)
		c.unsent(seq, CodeLate, "patience was over before it could be sent")
		return
	}
	ctx, cancel := context.WithDeadline(c.ctx, v.deadline)
	d := spec.perform(ctx, c.edges, v)
	done := time.Now()
	cancel()
	c.sent.Add(1)
	v.record = Record{
		Load: c.schedule.Load, Seq: seq, Journey: a.Journey,
		Customer: int(a.Customer), AmountMinor: int64(a.AmountMinor), Key: v.key,
		IntendedNs: v.intended.Sub(c.origin).Nanoseconds(),
		SentNs:     sent.Sub(c.origin).Nanoseconds(),
		DoneNs:     done.Sub(c.origin).Nanoseconds(),
		Decision:   d, Provenance: v.provenance,
	}
	c.sink.Record(&v.record)
}

// unsent records a journey that the generator itself kept from being sent.
func (c *crew) unsent(seq int, code, why string) {
	a := &c.schedule.Arrivals[seq]
	c.sink.Record(&Record{
		Load: c.schedule.Load, Seq: seq, Journey: a.Journey,
		Customer: int(a.Customer), AmountMinor: int64(a.AmountMinor), Key: c.schedule.Key(seq),
		IntendedNs: c.start.Add(a.At).Sub(c.origin).Nanoseconds(),
		SentNs:     NotSent,
		DoneNs:     time.Since(c.origin).Nanoseconds(),
		Decision:   Decision{Outcome: Failed, Code: code, Err: why},
	})
}
