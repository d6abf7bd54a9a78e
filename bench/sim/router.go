package sim

import (
	"math/rand/v2"
	"time"

	"breakbank/platform/router/balance"
)

// connectTimeout is what it takes to find that an instance which is gone takes
// no connection: nothing comes back from a zone without power. (The router's
// own, and Finagle's, tcp.connectTimeout = 1 s.)
const connectTimeout = time.Second

// failFast is how the router treats an address that took no connection, in
// every arm.
var failFast = balance.FailFastConfig{}.WithDefaults()

// router is one caller: what platform/router keeps of a service.
type router struct {
	strategy balance.Strategy
	prober   balance.Prober // nil: it wants no probes
	rng      *rand.Rand
	view     []balance.Endpoint
	at       []int32 // which instance each of view is

	oracle  *oracle          // nil: it is none; else it is one for all callers
	ejector *balance.Ejector // nil: off
	peers   []peer           // by instance

	// someIll says that the view holds an endpoint that is not to be picked,
	// illUntil when the last of those may be well again.
	illUntil time.Time
	someIll  bool
}

// peer is what a router keeps of an instance.
type peer struct {
	known    bool // it is in the view
	failFast balance.FailFast
}

// pick chooses an instance; false when it knows of none.
func (r *router) pick(now time.Time, ask balance.Request) (int32, bool) {
	r.look(now)
	if len(r.view) == 0 {
		return 0, false
	}
	i := r.strategy.Pick(now, r.rng, r.view, ask)
	r.strategy.Observe(balance.Event{Kind: balance.Sent, ID: r.view[i].ID, At: now})
	return r.at[i], true
}

// look marks who is not to be picked, if there is any reason to.
func (r *router) look(now time.Time) {
	ill := now.Before(r.illUntil)
	if !ill && !r.someIll {
		return
	}
	for k, i := range r.at {
		r.view[k].Healthy = !r.peers[i].failFast.Skipped(now)
	}
	if r.ejector != nil {
		r.ejector.Mark(now, r.view)
	}
	r.someIll = ill
}

func (r *router) ill(until time.Time) {
	r.someIll = true
	if until.After(r.illUntil) {
		r.illUntil = until
	}
}

// done ends an attempt.
func (r *router) done(now time.Time, i int32, e balance.Event, fate Fate) {
	r.strategy.Observe(e)
	peer := &r.peers[i]
	if r.oracle != nil || !peer.known {
		return
	}
	if r.ejector != nil {
		ejected := r.ejector.Observe(now, e.ID, !e.Failed, len(r.view))
		if len(r.ejector.Sweep(now, len(r.view))) > 0 || ejected {
			r.ill(r.ejector.Until())
		}
	}
	if fate == Unreachable {
		peer.failFast.Unreachable(now, failFast)
		r.ill(peer.failFast.Until())
	} else {
		peer.failFast.Reached()
	}
}

// add puts instances into its table, those from index from on.
func (r *router) add(instances []*instance, from int) {
	r.peers = append(r.peers, make([]peer, len(instances)-len(r.peers))...)
	for i := from; i < len(instances); i++ {
		r.view = append(r.view, balance.Endpoint{ID: instances[i].id, Healthy: true, Zone: zoneOf(i)})
		r.at = append(r.at, int32(i))
		r.peers[i].known = true
	}
	r.tell(instances)
}

// removeGone takes the instances that are gone out of its table. Attempts at
// them go on.
func (r *router) removeGone(instances []*instance) {
	kept := 0
	for k, i := range r.at {
		if !instances[i].gone {
			r.view[kept], r.at[kept] = r.view[k], i
			kept++
			continue
		}
		r.peers[i] = peer{}
		r.strategy.Observe(balance.Event{Kind: balance.Gone, ID: instances[i].id})
		if r.ejector != nil {
			r.ejector.Forget(instances[i].id)
		}
	}
	r.view, r.at = r.view[:kept], r.at[:kept]
	r.tell(instances)
}

// tell lets an oracle know what is true of every instance; it does nothing to
// others.
func (r *router) tell(instances []*instance) {
	if r.oracle == nil {
		return
	}
	for k, i := range r.at {
		in := instances[i]
		r.view[k].Healthy = !in.gone && !in.failing
		r.view[k].Weight = in.capacity / in.slow
	}
	r.oracle.know(r.view)
}

// Zones, by turns.
var zones = [...]string{"a", "b", "c"}

func zoneOf(i int) string { return zones[i%len(zones)] }
