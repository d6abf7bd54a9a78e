package sim

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"breakbank/platform/router/balance"
)

const (
	// probeTakes is the way of a probe to an instance and back.
	probeTakes = time.Millisecond
	// keysEach is how many keys there are for each endpoint, all as likely.
	keysEach = 100
	// objective is after how many mean service times an answer is so late that
	// it hurts.
	objective = 10
	// checkEvery is how many events pass between two looks at the context.
	checkEvery = 4096
)

// Streams of a seed's randomness, so that no part disturbs another.
const (
	streamLoad = iota + 1
	streamScenario
	streamRouters // the first router's; the others follow
)

// world is a run.
type world struct {
	model    Model
	scenario Scenario
	now      time.Duration
	agenda   agenda
	script   script
	load     *rand.Rand
	chance   *rand.Rand // the scenario's
	service  Distribution
	queue    Discipline
	keys     []string

	instances []*instance
	routers   []*router
	pool      pool
	deadlines deadlines
	arrival   time.Duration
	report    balance.Load // reused: strategies read it during Observe

	ends       [Fates]int
	arrived    int
	buckets    []Bucket
	equalShare float64
}

func newWorld(m Model, s Scenario, kind balance.StrategyKind, seed uint64) *world {
	w := &world{
		model: m, scenario: s,
		load:    rand.New(rand.NewPCG(seed, streamLoad)),
		chance:  rand.New(rand.NewPCG(seed, streamScenario)),
		buckets: make([]Bucket, int(s.Length/BucketLength)),
	}
	w.service, _ = named(Distributions, m.Service)
	w.queue, _ = named(Disciplines, m.Queue)
	if kind.Traits.Keyed {
		w.keys = make([]string, keysEach*m.Endpoints)
		for i := range w.keys {
			w.keys[i] = "key-" + strconv.Itoa(i)
		}
	}
	w.open(kind, seed)
	w.start(m.Endpoints, s.Cold)
	for _, r := range w.callers() {
		r.add(w.instances, 0)
	}
	s.arrange(w)
	w.script.sort()
	w.arrival = w.nextArrival()
	return w
}

// open makes the routers: as many as callers, or one oracle for all of them.
func (w *world) open(kind balance.StrategyKind, seed uint64) {
	w.routers = make([]*router, w.model.Routers)
	for i := range w.routers {
		r := &router{rng: rand.New(rand.NewPCG(seed, uint64(streamRouters+i)))}
		switch {
		case kind.Name == Oracle && i > 0:
			r = w.routers[0]
		case kind.Name == Oracle:
			r.oracle = newOracle()
			r.strategy = r.oracle
		default:
			r.strategy = kind.New()
			if w.model.Ejection != nil {
				r.ejector = balance.NewEjector(*w.model.Ejection)
			}
		}
		r.prober, _ = r.strategy.(balance.Prober)
		if placed, ok := r.strategy.(balance.Placed); ok {
			placed.Place(i, w.model.Routers)
		}
		w.routers[i] = r
	}
}

// callers is every router once: an oracle is one for all.
func (w *world) callers() []*router {
	if w.routers[0].oracle != nil {
		return w.routers[:1]
	}
	return w.routers
}

// moment is virtual time as strategies see it.
func moment(now time.Duration) time.Time { return epoch.Add(now) }

// nextArrival is drawn from the Poisson process.
func (w *world) nextArrival() time.Duration {
	return w.now + time.Duration(w.load.ExpFloat64()/w.model.RatePerS*float64(time.Second))
}

// play runs until the last request has ended. Of what is due at the same
// moment the script goes first, then what instances do, then callers that give
// up, then arrivals.
func (w *world) play(ctx context.Context) error {
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		due := never
		if len(w.agenda.events) > 0 {
			due = w.agenda.events[0].at
		}
		gives := w.deadlines.next(&w.pool)
		if gives == never && w.arrival > w.scenario.Length {
			return nil
		}
		switch first := min(w.script.next(), due, gives, w.arrival); first {
		case w.script.next():
			w.now = first
			w.script.run()
		case due:
			w.now = first
			w.happen(w.agenda.next())
		case gives:
			w.now = first
			w.giveUp(w.deadlines.waiting[w.deadlines.head].attempt)
		default:
			w.now = first
			w.arrive()
			w.arrival = w.nextArrival()
			if w.arrival > w.scenario.Length {
				w.arrival = never
			}
		}
	}
}

// happen lets an event happen, unless it is out of date.
func (w *world) happen(e event) {
	switch e.kind {
	case departure:
		if w.instances[e.who].generation == e.id {
			w.depart(e.who)
		}
	case unconnected:
		if a := &w.pool.attempts[e.what]; a.id == e.id && !a.ended {
			w.end(e.what, Unreachable)
		}
	case probed:
		w.probed(w.routers[e.who], e.what)
	}
}

// arrive lets a request arrive. What is drawn does not depend on the strategy.
func (w *world) arrive() {
	caller := w.load.IntN(len(w.routers))
	work := time.Duration(w.service.draw(w.load) * float64(w.model.ServiceMean))
	key := w.load.Uint32()
	w.arrived++
	a := attempt{began: w.now, router: int32(caller)}
	r := w.routers[caller]
	ask := balance.Request{Zone: zoneOf(caller)}
	if len(w.keys) > 0 {
		ask.Key = w.keys[int(key)%len(w.keys)]
	}
	i, ok := r.pick(moment(w.now), ask)
	if !ok {
		w.count(&a, Nowhere)
		return
	}
	a.instance = i
	w.send(a, work)
	if r.prober != nil {
		for _, k := range r.prober.Probes(moment(w.now), r.rng, r.view) {
			w.agenda.plan(event{at: w.now + probeTakes, kind: probed, who: int32(caller), what: r.at[k]})
		}
	}
}
