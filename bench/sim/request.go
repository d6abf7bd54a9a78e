package sim

import (
	"time"

	"breakbank/platform/router/balance"
)

// send hands an attempt to its instance.
func (w *world) send(a attempt, work time.Duration) {
	in := w.instances[a.instance]
	a.watched = in.watched
	if a.began >= w.scenario.From && a.began < w.scenario.To {
		in.picked++
	}
	place := w.pool.open(a)
	w.deadlines.add(deadline{w.now + w.model.Patience, place, w.pool.attempts[place].id})
	switch {
	case in.gone:
		w.agenda.plan(event{at: w.now + connectTimeout, kind: unconnected, what: place, id: w.pool.attempts[place].id})
	case in.load() >= queueMax:
		w.end(place, Refused)
	default:
		w.pool.attempts[place].held = true
		w.pool.attempts[place].found = int32(in.load())
		in.enter(w.now, job{place, work})
		w.schedule(a.instance)
	}
}

// schedule plans an instance's next departure, if that has changed.
func (w *world) schedule(i int32) {
	in := w.instances[i]
	next := in.next()
	if next == in.scheduled {
		return
	}
	in.scheduled = next
	in.generation++
	if next != never {
		w.agenda.plan(event{at: next, kind: departure, who: i, id: in.generation})
	}
}

// depart ends what an instance has served.
func (w *world) depart(i int32) {
	in := w.instances[i]
	in.scheduled = never
	place, worked := in.depart(w.now)
	w.schedule(i)
	a := &w.pool.attempts[place]
	a.held = false
	in.meter.note(w.now, worked, w.now-a.began, int(a.found), in.failing)
	switch {
	case a.ended: // its caller has gone
		w.routers[a.router].note(w, in)
		w.pool.close(place)
	case in.failing:
		w.end(place, Errored)
	default:
		w.end(place, Answered)
	}
}

// giveUp ends an attempt whose caller has waited long enough.
func (w *world) giveUp(place int32) {
	a := &w.pool.attempts[place]
	if a.held && w.instances[a.instance].withdraw(place) {
		a.held = false
	}
	w.end(place, TimedOut)
}

// end tells the caller how its request ended.
func (w *world) end(place int32, fate Fate) {
	a := &w.pool.attempts[place]
	in := w.instances[a.instance]
	r := w.routers[a.router]
	e := balance.Event{Kind: balance.Done, ID: in.id, At: moment(w.now), Took: w.now - a.began, Failed: fate != Answered}
	if fate == Answered || fate == Errored || r.oracle != nil {
		w.report = in.report(w.now, w.model.Workers)
		e.Load = &w.report
	}
	r.done(moment(w.now), a.instance, e, fate)
	a.ended = true
	w.count(a, fate)
	w.pool.close(place)
}

// probed answers a router's probe. One to an instance that is gone is lost.
func (w *world) probed(r *router, i int32) {
	in := w.instances[i]
	if in.gone {
		return
	}
	w.report = in.report(w.now, w.model.Workers)
	r.strategy.Observe(balance.Event{
		Kind: balance.Probed, ID: in.id, At: moment(w.now), Took: in.meter.latency(w.now, in.load()), Load: &w.report,
	})
}

// note lets an oracle know of a queue that has changed without it.
func (r *router) note(w *world, in *instance) {
	if r.oracle != nil {
		w.report = in.report(w.now, w.model.Workers)
		r.strategy.Observe(balance.Event{Kind: balance.Probed, ID: in.id, At: moment(w.now), Load: &w.report})
	}
}

// bucket is where a request belongs that arrived then.
func (w *world) bucket(began time.Duration) *Bucket {
	return &w.buckets[min(int(began/BucketLength), len(w.buckets)-1)]
}

// count books the end of a request, once for each.
func (w *world) count(a *attempt, fate Fate) {
	took := w.now - a.began
	w.ends[fate]++
	b := w.bucket(a.began)
	b.Arrived++
	b.Latency.Observe(took)
	b.LatencySum += took
	if fate != Answered {
		b.Failed++
	}
	if a.watched {
		b.Watched++
		if fate != Answered || took > objective*w.model.ServiceMean {
			b.Hurt++
		}
	}
}

func (w *world) outcome() *Outcome {
	o := &Outcome{Ends: w.ends, Arrived: w.arrived, Buckets: w.buckets, EqualShare: w.equalShare}
	for _, in := range w.instances {
		if !in.gone && in.joined <= w.scenario.From {
			o.Loads = append(o.Loads, float64(in.picked)/in.capacity)
		}
	}
	return o
}
