package sim

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Scenario is something that happens to a service.
type Scenario struct {
	Name, About string
	// Watched says in words which instances are watched.
	Watched string
	// Length is for how long requests arrive.
	Length time.Duration
	// Harm is when it happens, zero if from the beginning or not at all, and
	// Over when it is over, zero if it stays.
	Harm, Over time.Duration
	// From and To is the window in which figures are measured.
	From, To time.Duration
	// Cold is that the first instances start cold.
	Cold bool
	// arrange writes the script.
	arrange func(w *world)
}

// What happens, happens at harm and is over at over. weighted-rr believes no
// report for 10 s, so nothing happens before. Lengths are whole buckets.
const (
	harm   = 12 * time.Second
	over   = 22 * time.Second
	length = 30 * time.Second
)

// Scenarios is every one there is. Adding one touches its own file and one line
// here; the command line, the page and the tests iterate this table.
var Scenarios = []Scenario{
	steady,
	coldStart,
	slowInstance,
	failingInstance,
	zoneLoss,
	capacityMix,
}

// discoverySpread is over what time the routers learn of a change, each at its
// own moment. (Ours: the bar of the product's discovery is 50 ms at p99.)
const discoverySpread = 100 * time.Millisecond

// script is what happens when, apart from requests.
type script struct {
	steps []step
	done  int
}

type step struct {
	at time.Duration
	do func()
}

func (s *script) add(at time.Duration, do func()) { s.steps = append(s.steps, step{at, do}) }

func (s *script) sort() {
	slices.SortStableFunc(s.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
}

func (s *script) next() time.Duration {
	if s.done == len(s.steps) {
		return never
	}
	return s.steps[s.done].at
}

func (s *script) run() {
	s.done++
	s.steps[s.done-1].do()
}

// start lets n instances start now; no router knows them yet.
func (w *world) start(n int, cold bool) []*instance {
	from := len(w.instances)
	for i := range n {
		in := &instance{id: address(from + i), capacity: 1, slow: 1, cold: cold, joined: w.now, scheduled: never}
		in.station = w.queue.open(w.model.Workers, in.takes)
		w.instances = append(w.instances, in)
	}
	return w.instances[from:]
}

// everyRouter lets each router do something when it learns of what happens
// now. The draws are the same for every strategy.
func (w *world) everyRouter(when time.Duration, do func(r *router)) {
	for i, r := range w.routers {
		delay := time.Duration(w.chance.Float64() * float64(discoverySpread))
		switch {
		case r.oracle == nil:
			w.script.add(when+delay, func() { do(r) })
		case i == 0: // it sees the truth at once
			w.script.add(when, func() { do(r) })
		}
	}
}

// change does something to instances, and tells an oracle.
func (w *world) change(when time.Duration, instances []*instance, do func(in *instance)) {
	w.script.add(when, func() {
		for _, in := range instances {
			do(in)
		}
		w.routers[0].tell(w.instances)
	})
}

// anyOne is an instance drawn at random.
func (w *world) anyOne() []*instance {
	i := w.chance.IntN(len(w.instances))
	return w.instances[i : i+1]
}

// vanish takes instances out of the world. What is under way there is never
// answered.
func (w *world) vanish(in *instance) {
	in.gone = true
	in.scheduled = never
	in.generation++
	in.close(func(place int32) {
		w.pool.attempts[place].held = false
		w.pool.close(place)
	})
}

// address is an instance's, as a cluster would give it.
func address(i int) string {
	const aByte = 256
	return "10.1." + strconv.Itoa(i/aByte) + "." + strconv.Itoa(i%aByte) + ":8080"
}

// watch sets whose share of the traffic is recorded, and what an equal share
// is: theirs of that many.
func (w *world) watch(instances []*instance, of int) {
	for _, in := range instances {
		in.watched = true
	}
	w.equalShare = float64(len(instances)) / float64(of)
}
