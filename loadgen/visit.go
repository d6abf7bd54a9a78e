package loadgen

import (
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/loadgen/transport"
)

// Visit is one journey under way. One goroutine at a time has it. Visits are
// used again, so that the generator, which often shares its processors with
// what it measures, makes little garbage.
type Visit struct {
	// Schedule, Seq and Retry say which journey it is; Arrival and Spec are what
	// these mean.
	Schedule *Schedule
	Seq      int
	Retry    int
	Arrival  *Arrival
	Spec     *JourneySpec
	// Intended is when it was due, of a retry when that was.
	Intended time.Time
	// Key is of Spec.Key.
	Key string
	// Provenance gathers what the answers said of their routes.
	Provenance Provenance
	// Scratch is the steps' own. It outlives the visit: the next one that uses
	// this memory finds it, whatever its journey.
	Scratch any

	run      *running
	call     *transport.Call
	step     int
	turn     int       // of the connections
	sent     time.Time // first call
	think    time.Duration
	messages int64
	pcg      rand.PCG
	record   Record
}

// Rand is randomness of this visit alone, the same whenever the same schedule
// is performed. The value is valid during the call it was asked for in.
func (v *Visit) Rand() *rand.Rand {
	v.pcg.Seed(v.Schedule.Drawn^uint64(v.Retry)<<56, uint64(v.Seq)<<8|uint64(v.step))
	return rand.New(&v.pcg)
}

// Writing says whether the visit may have changed something by now: its journey
// writes, and a step that does more than look has begun.
func (v *Visit) Writing() bool { return v.writes(v.step + 1) }

// writes says whether any of the first steps does more than look.
func (v *Visit) writes(steps int) bool {
	if !v.Spec.Write {
		return false
	}
	for i := range steps {
		if !v.Spec.Steps[i].Looks {
			return true
		}
	}
	return false
}

// broken is the decision on a visit whose step could not be performed: nothing
// came of this one, but one before it may have changed something.
func (v *Visit) broken(d Decision) Decision {
	if d.Outcome == Failed && v.writes(v.step) {
		d.Outcome = Unknown
	}
	return d
}

// visits is where visits wait to be used again.
var visits = sync.Pool{New: func() any { return &Visit{call: &transport.Call{}} }}

// begin starts the visit's first step.
func (v *Visit) begin(b *transport.Batch) {
	v.step, v.sent, v.think, v.messages, v.Provenance, v.Key = 0, time.Time{}, 0, 0, Provenance{}, ""
	if v.Spec.Key != nil {
		v.Key = v.Spec.Key(v.Schedule, v.Seq, v.Retry)
	}
	v.enter(b)
}

// enter comes to a step: after its pause, if it has one.
func (v *Visit) enter(b *transport.Batch) {
	step := &v.Spec.Steps[v.step]
	if step.Think == nil {
		v.send(b)
		return
	}
	if pause := max(0, step.Think(v)); pause > 0 && v.run.ctx.Err() == nil {
		if !v.sent.IsZero() {
			v.think += pause
		}
		v.run.agenda.add(time.Now().Add(pause), v.send)
		return
	}
	v.send(b)
}

// send builds the step's call and begins it.
func (v *Visit) send(b *transport.Batch) {
	c := v.call
	c.Owner, c.Target, c.Shard, c.Extra, c.Request, c.ReplyMax = v, 0, 0, nil, nil, 0
	c.Deadline = v.deadline()
	c.Turn = v.turn
	if err := v.Spec.Steps[v.step].Build(v, c); err != nil {
		v.finish(b, time.Now(), v.broken(Decision{Outcome: Failed, Code: CodeUnbuilt, Err: cut(err.Error())}))
		return
	}
	v.run.transport.Begin(b, c)
}

func (v *Visit) deadline() time.Time {
	end := v.Intended.Add(v.Spec.Patience + v.think)
	if cut := v.run.cut.Load(); cut != 0 {
		if at := time.Unix(0, cut); at.Before(end) {
			return at
		}
	}
	return end
}

// Done implements transport.Owner.
func (v *Visit) Done(b *transport.Batch, c *transport.Call) {
	done := time.Now()
	if v.step == 0 {
		v.sent = c.SentAt
	}
	v.messages += c.Messages
	v.Provenance.add(c)
	var d Decision
	switch {
	case c.Fate == transport.Answered:
		d = v.Spec.Steps[v.step].Judge(v, c)
	case v.sent.IsZero() && c.Code == codes.DeadlineExceeded:
		d = Decision{Outcome: Failed, Code: CodeLate, Err: "patience was over before it could be sent"}
	default:
		d = v.broken(Unanswered(v.Writing(), c))
	}
	if d.Outcome == 0 && v.step+1 < len(v.Spec.Steps) {
		v.step++
		v.renew()
		v.enter(b)
		return
	}
	if d.Outcome == 0 {
		d.Outcome, d.Code = OK, CodeName(c.Code)
	}
	v.finish(b, done, d)
}

// renew gives the visit another call where the last may not be used again.
func (v *Visit) renew() {
	if !v.call.Reusable() {
		v.call = &transport.Call{}
	}
}

// finish records the visit, and lets the customer try again.
func (v *Visit) finish(b *transport.Batch, done time.Time, d Decision) {
	r := v.run
	v.record = Record{
		Load: v.Schedule.Load, Seq: v.Seq, Retry: v.Retry, Journey: v.Arrival.Journey, Name: v.Spec.Name,
		Customer: int(v.Arrival.Customer), AmountMinor: int64(v.Arrival.AmountMinor), Key: v.Key,
		IntendedNs: v.Intended.Sub(r.origin).Nanoseconds(), SentNs: NotSent,
		DoneNs: done.Sub(r.origin).Nanoseconds(), ThinkNs: v.think.Nanoseconds(),
		Decision: d, Provenance: v.Provenance,
	}
	if !v.sent.IsZero() {
		v.record.SentNs = v.sent.Sub(r.origin).Nanoseconds()
	}
	if v.messages > 1 {
		v.record.Messages = v.messages
	}
	r.ended(&v.record)
	if v.Spec.Again != nil && r.ctx.Err() == nil {
		if after, again := v.Spec.Again(v, d); again && v.Retry < retriesMax {
			v.again(done.Add(max(0, after)))
			return
		}
	}
	v.leave(b, done)
}

// again tries once more.
func (v *Visit) again(at time.Time) {
	v.renew()
	v.Retry++
	v.Intended = at
	v.run.retries.Add(1)
	v.run.agenda.add(at, func(b *transport.Batch) {
		if v.run.ctx.Err() != nil {
			v.run.retries.Add(-1) // Nobody tries again once the load is over.
			v.leave(b, time.Now())
			return
		}
		v.begin(b)
	})
}

// leave ends the visit.
func (v *Visit) leave(b *transport.Batch, now time.Time) {
	r, turn, sent := v.run, v.turn, !v.sent.IsZero()
	v.run, v.Schedule, v.Arrival, v.Spec = nil, nil, nil, nil
	v.renew()
	visits.Put(v)
	r.left(b, turn, now, sent)
}
