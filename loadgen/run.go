package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"breakbank/loadgen/transport"
)

const (
	// capPatience and capFactor give the default cap on journeys in flight: rate
	// × 15 s × 1.2 (measurement.md). 15 s is the longest patience of the bank's
	// clients, so by Little's law an otherwise sound bank in which every request
	// hangs stays below it.
	capPatience = 15 * time.Second
	capFactor   = 1.2
	// retriesMax bounds how often one customer tries again, whatever Again says.
	retriesMax = 16
	// together is how many journeys that are due at once begin on one connection
	// before the next has its turn: they leave in one write. Where they are due
	// one by one, each has another connection.
	together = 4
	// batchMax is how many journeys begin before what they send is written and
	// the clock is looked at again: a generator that has stood still has more due
	// than a connection holds for its socket, and must not take what it has not
	// written for sent.
	batchMax = 256
	// unsentPause is how long a closed loop waits before it goes on where nothing
	// could be sent.
	unsentPause = 10 * time.Millisecond
	// giveUpAgain is how soon the transport is told again to give up, for those
	// that were just being begun.
	giveUpAgain = 50 * time.Millisecond
)

// Runner performs schedules. Its transport is the caller's to close.
type Runner struct {
	Transport transport.Transport
	// MaxInFlight caps the journeys in flight; 0 means peak rate × 15 s × 1.2.
	MaxInFlight int
	// Origin is the zero of the clocks of the records; the zero time means the
	// start of the load. A run with several loads gives them all the same.
	Origin time.Time
	// Grace bounds how long journeys in flight may go on after the context of
	// Run has ended; 0 leaves each its patience.
	Grace time.Duration
	// Closed, if above 0, makes it a closed loop: so many journeys are always
	// under way, each begun when another has ended, until the schedule's
	// duration is over. The times of the schedule mean nothing then, and its
	// arrivals are performed over and over. What is measured hides every wait
	// that it causes itself (coordinated omission): good for finding out what a
	// journey costs, and for nothing else.
	Closed int
	// Part and Parts make it one of several workers: it performs the arrivals
	// whose number is Part modulo Parts, a closed loop of its own under such
	// numbers. Parts 0 is all of them.
	Part, Parts int
}

// Summary says what a runner did with a schedule.
type Summary struct {
	// Scheduled is how many journeys were due: all of the schedule, or those up
	// to the moment at which it was interrupted. In a closed loop it is how many
	// were begun.
	Scheduled int
	// Sent + Dropped + Late + Unsent is how many records of arrivals were made.
	// Dropped were kept back by the cap; Late came up after their patience was
	// over; Unsent found no connection.
	Sent, Dropped, Late, Unsent int
	// Retries is how many more tries customers made.
	Retries int
	// PeakInFlight is the most journeys in flight at once, of MaxInFlight.
	PeakInFlight, MaxInFlight int
	// Interrupted says that the context ended before the schedule.
	Interrupted bool
	// SentNs is by arrival when it was sent, in nanoseconds since the runner's
	// origin, NotSent for those that were not. Nil in a closed loop.
	SentNs []int64
}

// running is one schedule being performed.
type running struct {
	schedule      *Schedule
	start, origin time.Time
	transport     transport.Transport
	sink          Sink
	ctx           context.Context
	agenda        *agenda
	limit         int64
	sentNs        []int64
	closed        bool
	closes        time.Time // of a closed loop: when it begins no more
	next          atomic.Int64
	part, parts   int

	cut        atomic.Int64 // Unix nanoseconds by which everything must end; 0: no such time
	inFlight   atomic.Int64
	sent, late atomic.Int64
	unsent     atomic.Int64
	retries    atomic.Int64
	ending     atomic.Bool // nothing more is begun
	idle       chan struct{}
	landed     sync.Once

	// Of the dispatching goroutine.
	dropped     int
	peak        int64
	interrupted bool // of a closed loop
}

// Run begins each journey at start plus its time, whatever became of those
// before, and hands a record of each to sink. It returns when all have ended,
// which each does by its patience.
//
// When ctx ends, nothing more is begun and what is in flight is waited for; that
// is not an error.
func (r *Runner) Run(ctx context.Context, s *Schedule, start time.Time, sink Sink) (Summary, error) {
	switch {
	case sink == nil:
		return Summary{}, errors.New("run load: no sink for the records")
	case r.Transport == nil:
		return Summary{}, errors.New("run load: no transport")
	case r.Closed < 0 || r.Closed > 0 && len(s.Arrivals) == 0:
		return Summary{}, fmt.Errorf("run load: a closed loop of %d over %d arrivals", r.Closed, len(s.Arrivals))
	case r.Parts < 0 || r.Part < 0 || r.Parts > 0 && r.Part >= r.Parts:
		return Summary{}, fmt.Errorf("run load: part %d of %d", r.Part, r.Parts)
	}
	now := time.Now()
	start = monotonic(start, now)
	origin := start
	if !r.Origin.IsZero() {
		origin = monotonic(r.Origin, now)
	}
	maxInFlight := r.MaxInFlight
	if maxInFlight <= 0 {
		maxInFlight = max(1, int(math.Ceil(s.PeakPerS*capPatience.Seconds()*capFactor)))
	}
	p := &running{
		schedule: s, start: start, origin: origin, transport: r.Transport, sink: sink, ctx: ctx,
		agenda: newAgenda(), limit: int64(maxInFlight), idle: make(chan struct{}),
		closed: r.Closed > 0, closes: start.Add(s.Duration), part: r.Part, parts: max(1, r.Parts),
	}
	var work sync.WaitGroup
	work.Go(func() { p.agenda.run(ctx, p.idle) })

	summary := Summary{MaxInFlight: maxInFlight}
	if p.closed {
		p.runClosed(ctx, r.Closed)
		summary.MaxInFlight = r.Closed
	} else {
		p.sentNs = make([]int64, len(s.Arrivals))
		for i := range p.sentNs {
			p.sentNs[i] = NotSent
		}
		p.runOpen(ctx, p.part, p.parts, &summary)
	}
	p.awaitIdle(ctx, r.Grace)
	work.Wait()

	summary.Sent, summary.Late, summary.Unsent = int(p.sent.Load()), int(p.late.Load()), int(p.unsent.Load())
	summary.Dropped, summary.Retries = p.dropped, int(p.retries.Load())
	summary.PeakInFlight, summary.SentNs = int(p.peak), p.sentNs
	if p.closed {
		summary.Scheduled, summary.PeakInFlight = int(p.next.Load()), r.Closed
		summary.Interrupted = p.interrupted
	}
	return summary, nil
}

// runOpen begins each journey of a part when it is due. What is due at once goes
// out at once; no arrival is ever skipped, however late this goroutine comes to
// run.
func (p *running) runOpen(ctx context.Context, part, parts int, summary *Summary) {
	arrivals := p.schedule.Arrivals
	timer := newStoppedTimer()
	defer timer.Stop()
	var b transport.Batch
	seq, turn := part, 0
	for seq < len(arrivals) {
		now := time.Now()
		for n := 0; seq < len(arrivals) && n < batchMax; n, seq = n+1, seq+parts {
			if p.start.Add(arrivals[seq].At).After(now) {
				break
			}
			if n > 0 && n%together == 0 {
				turn++
			}
			p.dispatch(&b, seq, turn)
		}
		turn++
		b.Flush()
		if seq >= len(arrivals) || !sleepUntil(ctx, timer, p.start.Add(arrivals[seq].At)) {
			break
		}
	}
	due := len(arrivals)
	if seq < len(arrivals) {
		summary.Interrupted = true
		due = max(seq, p.schedule.Until(time.Since(p.start)))
	}
	if summary.Scheduled = 0; due > part {
		summary.Scheduled = (due - part + parts - 1) / parts
	}
}

// dispatch begins a journey without ever waiting for one; beyond the cap, it is
// dropped and recorded as failed.
func (p *running) dispatch(b *transport.Batch, seq, turn int) {
	if p.inFlight.Load() >= p.limit {
		p.dropped++
		p.drop(seq)
		return
	}
	p.peak = max(p.peak, p.inFlight.Add(1))
	p.begin(b, seq, turn, p.start.Add(p.schedule.Arrivals[seq].At))
}

func (p *running) begin(b *transport.Batch, seq, turn int, intended time.Time) {
	a := &p.schedule.Arrivals[seq%len(p.schedule.Arrivals)]
	v := visits.Get().(*Visit)
	v.run, v.Schedule, v.Seq, v.turn, v.Retry = p, p.schedule, seq, turn, 0
	v.Arrival, v.Spec, v.Intended = a, &p.schedule.Journeys[a.Journey], intended
	v.begin(b)
}

// runClosed keeps journeys under way until the time is over.
func (p *running) runClosed(ctx context.Context, streams int) {
	timer := newStoppedTimer()
	defer timer.Stop()
	if !sleepUntil(ctx, timer, p.start) {
		p.interrupted = true
		return
	}
	var b transport.Batch
	p.inFlight.Add(int64(streams))
	for i := range streams {
		p.begin(&b, p.number(), i, time.Now())
		if (i+1)%batchMax == 0 {
			b.Flush()
		}
	}
	b.Flush()
	p.interrupted = !sleepUntil(ctx, timer, p.closes)
}

// number is that of the next journey of a closed loop. No two workers have one
// in common, for it is in the keys of payments.
func (p *running) number() int { return int(p.next.Add(1)-1)*p.parts + p.part }

// ended takes a visit's record.
func (p *running) ended(r *Record) {
	if r.Retry == 0 {
		switch {
		case r.Sent():
			p.sent.Add(1)
			if p.sentNs != nil {
				p.sentNs[r.Seq] = r.SentNs
			}
		case r.Code == CodeLate:
			p.late.Add(1)
		default:
			p.unsent.Add(1)
		}
	}
	p.sink.Record(r)
}

// left notes that a visit has ended; in a closed loop another begins.
func (p *running) left(b *transport.Batch, turn int, now time.Time, sent bool) {
	if p.closed && !p.ending.Load() && p.ctx.Err() == nil && now.Before(p.closes) {
		p.follow(b, turn, now, sent)
		return
	}
	if p.inFlight.Add(-1) == 0 && p.ending.Load() {
		p.landed.Do(func() { close(p.idle) })
	}
}

// follow begins the next journey of a closed loop, on the same connection. Where the last could not be
// sent it waits a little first, since otherwise it would turn as fast as it can.
func (p *running) follow(b *transport.Batch, turn int, now time.Time, sent bool) {
	seq := p.number()
	if sent {
		p.begin(b, seq, turn, now)
		return
	}
	p.agenda.add(now.Add(unsentPause), func(b *transport.Batch) { p.begin(b, seq, turn, time.Now()) })
}

// drop records a journey that the cap kept from being sent.
func (p *running) drop(seq int) {
	a := &p.schedule.Arrivals[seq]
	spec := &p.schedule.Journeys[a.Journey]
	r := &Record{
		Load: p.schedule.Load, Seq: seq, Journey: a.Journey, Name: spec.Name,
		Customer: int(a.Customer), AmountMinor: int64(a.AmountMinor),
		IntendedNs: p.start.Add(a.At).Sub(p.origin).Nanoseconds(),
		SentNs:     NotSent,
		DoneNs:     time.Since(p.origin).Nanoseconds(),
		Decision:   Decision{Outcome: Failed, Code: CodeDropped, Err: "the cap on journeys in flight was reached"},
	}
	if spec.Key != nil {
		r.Key = spec.Key(p.schedule, seq, 0)
	}
	p.sink.Record(r)
}

// awaitIdle waits for what is in flight, once ctx has ended for grace at most.
func (p *running) awaitIdle(ctx context.Context, grace time.Duration) {
	p.inFlight.Add(1)
	p.ending.Store(true)
	if p.inFlight.Add(-1) == 0 {
		p.landed.Do(func() { close(p.idle) })
	}
	if grace <= 0 {
		<-p.idle
		return
	}
	select {
	case <-p.idle:
		return
	case <-ctx.Done():
	}
	cut := time.NewTimer(grace)
	defer cut.Stop()
	select {
	case <-p.idle:
		return
	case <-cut.C:
	}
	p.cut.Store(time.Now().UnixNano())
	again := time.NewTicker(giveUpAgain)
	defer again.Stop()
	for {
		p.transport.GiveUp()
		select {
		case <-p.idle:
			return
		case <-again.C:
		}
	}
}

// monotonic makes t comparable to monotonic clock readings: a time that came
// from afar has only its wall clock, which may be set while a load runs.
func monotonic(t, now time.Time) time.Time { return now.Add(t.Sub(now)) }
