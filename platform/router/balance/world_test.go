package balance

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is a service in virtual time: requests arrive at random (Poisson) at
// one caller, whose strategy picks an instance; instances have workers and a
// queue, and say how they are, with each response and when probed.
type world struct {
	now       time.Time
	rng       *rand.Rand // of arrivals and service times
	picks     *rand.Rand // the strategy's own
	strategy  Strategy
	endpoints []Endpoint
	instances map[string]*instance
	events    eventHeap
	keys      int // requests have one of that many keys; 0: none
	sequence  int
}

const (
	worldService = 10 * time.Millisecond // mean service time, exponential
	worldWorkers = 4                     // of an instance
	worldProbe   = time.Millisecond      // until a probe is answered
	worldWindow  = time.Second           // over which an instance measures itself
)

// instance is a server with worldWorkers workers and a queue.
type instance struct {
	slower   float64 // factor of its service times
	failing  bool    // it answers every request at once, with an error
	waiting  []*attempt
	busy     int
	picked   int
	latency  time.Duration // moving average, as it tells probes
	reported Load
	window   struct {
		began        time.Time
		done, failed int
		worked       time.Duration
	}
}

type attempt struct {
	to   int // index of the endpoint when it was picked
	id   string
	sent time.Time
}

type happening struct {
	at       time.Time
	sequence int // first come first served at the same instant
	run      func()
}

func newWorld(kind StrategyKind, n int) *world {
	w := &world{
		now: epoch, rng: rand.New(rand.NewPCG(5, 6)), picks: rand.New(rand.NewPCG(7, 8)),
		strategy: kind.New(), instances: map[string]*instance{},
	}
	if kind.Traits.Keyed {
		w.keys = 10_000
	}
	for _, e := range testEndpoints(n) {
		w.join(e)
	}
	return w
}

func (w *world) join(e Endpoint) *instance {
	w.endpoints = append(w.endpoints, e)
	i := &instance{slower: 1}
	i.window.began = w.now
	w.instances[e.ID] = i
	return i
}

// share returns which part of all picks went to an endpoint, over d of
// arrivals at a rate of requests a second, in multiples of an equal share.
func (w *world) share(id string, rate float64, d time.Duration) float64 {
	for _, i := range w.instances {
		i.picked = 0
	}
	w.run(rate, d)
	all := 0
	for _, i := range w.instances {
		all += i.picked
	}
	return float64(w.instances[id].picked) / float64(all) * float64(len(w.endpoints))
}

// run lets requests arrive for d.
func (w *world) run(rate float64, d time.Duration) {
	end := w.now.Add(d)
	w.arrival(rate, end)
	for len(w.events) > 0 && !w.events[0].at.After(end) {
		next := heap.Pop(&w.events).(happening)
		w.now = next.at
		next.run()
	}
	w.now = end
}

func (w *world) arrival(rate float64, end time.Time) {
	gap := time.Duration(w.rng.ExpFloat64() / rate * float64(time.Second))
	if w.now.Add(gap).After(end) {
		return
	}
	w.in(gap, func() {
		w.request()
		w.arrival(rate, end)
	})
}

func (w *world) request() {
	var r Request
	if w.keys > 0 {
		r.Key = fmt.Sprint("key-", w.rng.IntN(w.keys))
	}
	i := w.strategy.Pick(w.now, w.picks, w.endpoints, r)
	id := w.endpoints[i].ID
	w.instances[id].picked++
	w.strategy.Observe(Event{Kind: Sent, ID: id, At: w.now})
	w.deliver(&attempt{to: i, id: id, sent: w.now})
	if p, ok := w.strategy.(Prober); ok {
		for _, i := range p.Probes(w.now, w.picks, w.endpoints) {
			id := w.endpoints[i].ID
			w.in(worldProbe, func() {
				load := w.instances[id].load()
				w.strategy.Observe(Event{Kind: Probed, ID: id, At: w.now, Took: w.instances[id].latency, Load: &load})
			})
		}
	}
}

func (w *world) deliver(a *attempt) {
	i := w.instances[a.id]
	switch {
	case i.failing:
		w.in(worldService/100, func() { w.done(i, a, worldService/100, true) })
	case i.busy == worldWorkers:
		i.waiting = append(i.waiting, a)
	default:
		i.busy++
		w.serve(i, a)
	}
}

func (w *world) serve(i *instance, a *attempt) {
	took := time.Duration(w.rng.ExpFloat64() * float64(worldService) * i.slower)
	w.in(took, func() {
		w.done(i, a, took, false)
		if len(i.waiting) > 0 {
			next := i.waiting[0]
			i.waiting = i.waiting[1:]
			w.serve(i, next)
			return
		}
		i.busy--
	})
}

func (w *world) done(i *instance, a *attempt, worked time.Duration, failed bool) {
	took := w.now.Sub(a.sent)
	i.latency += (took - i.latency) / 8
	i.measure(w.now, worked, failed)
	load := i.load()
	w.strategy.Observe(Event{Kind: Done, ID: a.id, At: w.now, Took: took, Failed: failed, Load: &load})
}

// measure counts a request that has ended.
func (i *instance) measure(now time.Time, worked time.Duration, failed bool) {
	i.window.done++
	i.window.worked += worked
	if failed {
		i.window.failed++
	}
	past := now.Sub(i.window.began)
	if past < worldWindow {
		return
	}
	i.reported.QPS = float64(i.window.done) / past.Seconds()
	i.reported.EPS = float64(i.window.failed) / past.Seconds()
	i.reported.Utilization = float64(i.window.worked) / float64(past) / worldWorkers
	i.window.began, i.window.done, i.window.failed, i.window.worked = now, 0, 0, 0
}

func (i *instance) load() Load {
	l := i.reported
	l.InFlight = i.busy + len(i.waiting)
	return l
}

func (w *world) in(d time.Duration, run func()) {
	w.sequence++
	heap.Push(&w.events, happening{w.now.Add(d), w.sequence, run})
}

type eventHeap []happening

func (h eventHeap) Len() int      { return len(h) }
func (h eventHeap) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(happening)) }

func (h eventHeap) Less(a, b int) bool {
	if h[a].at.Equal(h[b].at) {
		return h[a].sequence < h[b].sequence
	}
	return h[a].at.Before(h[b].at)
}

func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
