package balance

import (
	"math/rand/v2"
	"time"
)

// Constants of gRFC A58 (blackout_period, weight_expiration_period,
// weight_update_period, error_utilization_penalty).
const (
	wrrBlackout     = 10 * time.Second
	wrrExpiry       = 3 * time.Minute
	wrrUpdate       = time.Second
	wrrErrorPenalty = 1.0
)

// wrrPatience is how many turns are passed over, for each endpoint, in search
// of a healthy one before the first healthy one is taken. (gRPC schedules only
// connected ones.)
const wrrPatience = 4

// weightedRR takes endpoints in turn, in proportion to what they can do by
// their own account:
//
//	weight = QPS ÷ (utilization + EPS/QPS × penalty)
//
// which is the rate that the instance could serve fully used, with errors
// counted as use. A weight counts once reports have come for 10 s (the first
// are of an instance that warms up), until 3 minutes after the last. Those
// without one get the mean; if fewer than two have one, all are equal.
// Endpoint.Weight multiplies, as locality weights do in xDS.
type weightedRR struct {
	members roster[report]
	stride  stride
	weights []float64 // reused by update
	counter uint64
	started bool
	order   int // of members, when the schedule was built
	due     time.Time
}

// report is what an endpoint last said it can do.
type report struct {
	weight      float64
	since, last time.Time // of the unbroken series of reports; zero if none
}

func (w *weightedRR) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	if !w.started {
		// As in gRPC: routers that start together do not move in step.
		w.counter, w.started = uint64(rng.Uint32()), true
	}
	members := w.members.align(endpoints)
	if !now.Before(w.due) || w.order != w.members.order {
		w.update(now, members, endpoints)
	}
	for range wrrPatience * len(endpoints) {
		if i := w.stride.next(&w.counter); endpoints[i].Healthy {
			return i
		}
	}
	for i := range endpoints {
		if endpoints[i].Healthy {
			return i
		}
	}
	return w.stride.next(&w.counter)
}

// update builds the schedule from the weights as they are now.
func (w *weightedRR) update(now time.Time, members []*member[report], endpoints []Endpoint) {
	w.due, w.order = now.Add(wrrUpdate), w.members.order
	known, sum := 0, 0.0
	w.weights = w.weights[:0]
	for _, m := range members {
		weight := m.know.at(now)
		if weight > 0 {
			known++
			sum += weight
		}
		w.weights = append(w.weights, weight)
	}
	for i := range w.weights {
		switch {
		case known < 2:
			w.weights[i] = 1
		case w.weights[i] == 0:
			w.weights[i] = sum / float64(known)
		}
		w.weights[i] *= endpoints[i].weight()
	}
	w.stride.build(w.weights)
}

// Informed makes it an Informed strategy: the weights are the instances' own
// figures.
func (w *weightedRR) Informed() {}

func (w *weightedRR) Observe(e Event) {
	if e.Kind == Gone {
		w.members.forget(e.ID)
		return
	}
	m := w.members.get(e.ID)
	if e.Load == nil || m == nil {
		return
	}
	m.know.update(e.At, e.Load)
}

// update takes a report. One without use or without requests says nothing.
func (r *report) update(now time.Time, l *Load) {
	if l.QPS <= 0 || l.Utilization <= 0 {
		return
	}
	r.expire(now)
	if r.since.IsZero() {
		r.since = now
	}
	r.last = now
	r.weight = l.QPS / (l.Utilization + l.EPS/l.QPS*wrrErrorPenalty)
}

// at is the weight that counts now, 0 for none.
func (r *report) at(now time.Time) float64 {
	r.expire(now)
	if r.since.IsZero() || now.Sub(r.since) < wrrBlackout {
		return 0
	}
	return r.weight
}

func (r *report) expire(now time.Time) {
	if !r.since.IsZero() && now.Sub(r.last) >= wrrExpiry {
		*r = report{}
	}
}
