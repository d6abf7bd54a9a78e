package benign

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"breakbank/platform/router/discovery"
)

const (
	// waits is how long a request with no live endpoint waits for a better
	// table (routing.md).
	waits = 500 * time.Millisecond
	// reportEvery bounds how often an address is reported to discovery, as in
	// the data plane.
	reportEvery = time.Second
)

var errRestarted = errors.New("the API server was restarted")

// dataPlane is what becomes of requests: they try the addresses of the table in
// a random order, since one that takes no connection costs nothing but the try;
// then they wait for a better table, and fail.
type dataPlane struct {
	count    int
	waiting  map[string][]*request // by service
	reported map[string]time.Duration
}

// request is one that waits.
type request struct {
	number  int
	service int
}

// arrivals brings the requests of one service after another, the same for
// every arm, however they end.
func (r *router) arrivals(ratePerS float64) {
	for s := range r.plan.services {
		rng := rand.New(rand.NewPCG(r.seed, 100+uint64(s)))
		var next func()
		next = func() {
			r.arrive(s)
			r.clock.at(r.clock.now+time.Duration(rng.ExpFloat64()/ratePerS*float64(time.Second)), next)
		}
		r.clock.at(r.clock.now+time.Duration(rng.ExpFloat64()/ratePerS*float64(time.Second)), next)
	}
}

func (r *router) arrive(service int) {
	q := &request{number: r.dataPlane.count, service: service}
	r.dataPlane.count++
	r.figures.served = append(r.figures.served, false)
	if r.try(q) {
		return
	}
	name := r.plan.names[service]
	r.dataPlane.waiting[name] = append(r.dataPlane.waiting[name], q)
	r.clock.at(r.clock.now+waits, func() { // in vain: it counts as failed already
		r.dataPlane.waiting[name] = slices.DeleteFunc(r.dataPlane.waiting[name], func(other *request) bool { return other == q })
	})
}

// try offers a request to every address, and says whether one answered.
func (r *router) try(q *request) bool {
	name := r.plan.names[q.service]
	addrs := r.table[name]
	// A random order, each once: from a random place on, by a step that has no
	// divisor in common with their number.
	n := uint64(len(addrs))
	random := rand.NewPCG(r.seed, 1<<32+uint64(q.number))
	if n == 0 {
		return false
	}
	at, step := random.Uint64()%n, 1+random.Uint64()%n
	for gcd(step, n) != 1 {
		step = 1 + random.Uint64()%n
	}
	for range addrs {
		if r.plan.answers(addrs[at], r.clock.now) {
			r.figures.served[q.number] = true
			return true
		}
		r.figures.refused++
		r.report(name, addrs[at])
		at = (at + step) % n
	}
	return false
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// report tells discovery of an address that took no connection.
func (r *router) report(service, addr string) {
	if last, before := r.dataPlane.reported[addr]; before && r.clock.now-last < reportEvery {
		return
	}
	r.dataPlane.reported[addr] = r.clock.now
	r.clock.at(r.clock.now, func() {
		r.step(discovery.Evidence{Kind: discovery.Unreachable, Service: service, Addr: addr})
	})
}

// retry tries those that wait for a better table.
func (r *router) retry(service string) {
	waiting := r.dataPlane.waiting[service]
	if len(waiting) == 0 {
		return
	}
	r.dataPlane.waiting[service] = nil
	r.clock.at(r.clock.now, func() {
		for _, q := range waiting {
			if !r.try(q) {
				r.dataPlane.waiting[service] = append(r.dataPlane.waiting[service], q)
			}
		}
	})
}
