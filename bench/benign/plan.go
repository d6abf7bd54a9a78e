package benign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Times of a cluster (incident.md, "Timeline").
const (
	readyAfter = 50 * time.Millisecond  // from an instance's start until it is registered
	drain      = 200 * time.Millisecond // from its removal until it stops
	// operationEvery is the mean time from one operation to the next.
	operationEvery = 700 * time.Millisecond
	// settle is how long a service is left alone after an operation.
	settle = 500 * time.Millisecond
	// before and after the operations nothing happens.
	lead = 3 * time.Second
	tail = 45 * time.Second
)

// Longer drains: some instances finish what may take long.
const (
	longDrainMin = 2 * time.Second
	longDrainMax = 30 * time.Second
)

// write is one change of the registry. Its revision is its place in the plan.
type write struct {
	at        time.Duration
	service   int
	addrs     []string
	operation string
}

// instance is who is at an address, and when. An address is never used again.
type instance struct {
	service    int
	born, dies time.Duration // dies: 0 is never
}

// removal is an address that the registry took out and did not take back.
type removal struct {
	addr      string
	service   int
	at        time.Duration
	operation string
}

// plan is what happens, the same for every arm.
type plan struct {
	services   int
	names      []string // of the services
	length     time.Duration
	writes     []write
	instances  map[string]*instance
	removals   []removal
	restarts   []time.Duration // of the first API server
	operations map[string]int
}

// Operations that are what they look like, and how often each is drawn.
var operations = []struct {
	name   string
	weight int
	play   func(*planner, int, time.Duration) time.Duration // returns when it is over
}{
	{"rolling deploy", 42, (*planner).roll},
	{"replace at once", 10, (*planner).replace},
	{"recreate", 5, (*planner).recreate},
	{"scale up", 8, (*planner).scaleUp},
	{"scale down", 16, (*planner).scaleDown},
	{"to zero", 10, (*planner).toZero},
	{"readiness flap", 7, (*planner).flap},
	{"API server restart", 2, (*planner).restart},
}

// planner draws a plan.
type planner struct {
	plan
	rng   *rand.Rand
	live  [][]string // by service, as the registry has it
	free  []time.Duration
	addrs int
}

func newPlan(services, count int, seed uint64) *plan {
	p := &planner{
		plan: plan{services: services, instances: map[string]*instance{}, operations: map[string]int{}},
		rng:  rand.New(rand.NewPCG(seed, 1)),
		live: make([][]string, services),
		free: make([]time.Duration, services),
	}
	for s := range services {
		p.names = append(p.names, fmt.Sprintf("service-%02d", s))
		for range 1 + p.rng.IntN(10) {
			p.live[s] = append(p.live[s], p.start(s, 0))
		}
		p.write(s, 0, "start")
	}
	at := lead
	for range count {
		at += time.Duration(p.rng.ExpFloat64() * float64(operationEvery))
		s := p.rng.IntN(services)
		at = max(at, p.free[s])
		p.free[s] = p.draw(s, at) + settle
	}
	p.length = slices.Max(append(p.free, at)) + tail
	slices.SortStableFunc(p.writes, func(a, b write) int { return int(a.at - b.at) })
	p.findRemovals()
	return &p.plan
}

// draw plays one operation on a service.
func (p *planner) draw(s int, at time.Duration) time.Duration {
	if len(p.live[s]) == 0 {
		p.operations["from zero"]++
		return p.grow(s, at, 1+p.rng.IntN(6), "from zero")
	}
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	drawn := p.rng.IntN(total)
	for _, o := range operations {
		if drawn -= o.weight; drawn < 0 {
			p.operations[o.name]++
			return o.play(p, s, at)
		}
	}
	return at
}

// start has an instance begin to answer.
func (p *planner) start(s int, at time.Duration) string {
	p.addrs++
	addr := fmt.Sprintf("10.%d.%d.%d:80", p.addrs>>16, p.addrs>>8&255, p.addrs&255)
	p.instances[addr] = &instance{service: s, born: at}
	return addr
}

// stop has an instance end some time after the registry has dropped it.
func (p *planner) stop(addr string, removed time.Duration) {
	after := drain
	switch p.rng.IntN(10) {
	case 0:
		after = 0 // killed
	case 1:
		after = longDrainMin + time.Duration(p.rng.Int64N(int64(longDrainMax-longDrainMin)))
	}
	p.instances[addr].dies = removed + after
}

// write registers what is live.
func (p *planner) write(s int, at time.Duration, operation string) {
	p.writes = append(p.writes, write{at: at, service: s, addrs: slices.Clone(p.live[s]), operation: operation})
}

// roll replaces one instance after the other: surge 1, unavailable 0.
func (p *planner) roll(s int, at time.Duration) time.Duration {
	for _, old := range slices.Clone(p.live[s]) {
		fresh := p.start(s, at)
		at += readyAfter + p.jitter()
		p.live[s] = append(p.live[s], fresh)
		p.write(s, at, "rolling deploy")
		at += p.jitter()
		p.drop(s, old, at)
		p.write(s, at, "rolling deploy")
		at += p.jitter()
	}
	return at
}

// replace starts as many as there are, and then takes all the old ones out.
func (p *planner) replace(s int, at time.Duration) time.Duration {
	old := slices.Clone(p.live[s])
	for range old {
		p.live[s] = append(p.live[s], p.start(s, at))
	}
	at += readyAfter + p.jitter()
	for _, addr := range old {
		p.drop(s, addr, at)
	}
	p.write(s, at, "replace at once")
	return at
}

// recreate takes all down before new ones start.
func (p *planner) recreate(s int, at time.Duration) time.Duration {
	n := len(p.live[s])
	p.dropAll(s, at)
	p.write(s, at, "recreate")
	return p.grow(s, at+drain+p.jitter(), n, "recreate")
}

func (p *planner) scaleUp(s int, at time.Duration) time.Duration {
	return p.grow(s, at, 1+p.rng.IntN(5), "scale up")
}

func (p *planner) grow(s int, at time.Duration, n int, operation string) time.Duration {
	for range n {
		p.live[s] = append(p.live[s], p.start(s, at))
		p.write(s, at+readyAfter, operation)
		at += p.jitter()
	}
	return at + readyAfter
}

// scaleDown takes some out, often more than half, at once.
func (p *planner) scaleDown(s int, at time.Duration) time.Duration {
	for left := p.rng.IntN(len(p.live[s])) + 1; len(p.live[s]) > left; {
		p.drop(s, p.live[s][p.rng.IntN(len(p.live[s]))], at)
	}
	p.write(s, at, "scale down")
	return at
}

func (p *planner) toZero(s int, at time.Duration) time.Duration {
	p.dropAll(s, at)
	p.write(s, at, "to zero")
	return at
}

// flap takes an instance out that goes on answering, and back in.
func (p *planner) flap(s int, at time.Duration) time.Duration {
	flapping := p.live[s][p.rng.IntN(len(p.live[s]))]
	all := p.live[s]
	p.live[s] = slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == flapping })
	p.write(s, at, "readiness flap")
	at += time.Duration(p.rng.Int64N(int64(3 * time.Second)))
	p.live[s] = all
	p.write(s, at, "readiness flap")
	return at
}

func (p *planner) restart(_ int, at time.Duration) time.Duration {
	p.restarts = append(p.restarts, at)
	return at
}

func (p *planner) drop(s int, addr string, at time.Duration) {
	p.live[s] = slices.DeleteFunc(slices.Clone(p.live[s]), func(a string) bool { return a == addr })
	p.stop(addr, at)
}

func (p *planner) dropAll(s int, at time.Duration) {
	for _, addr := range p.live[s] {
		p.stop(addr, at)
	}
	p.live[s] = nil
}

// jitter is how long a controller takes to act.
func (p *planner) jitter() time.Duration {
	return time.Duration(p.rng.Int64N(int64(60 * time.Millisecond)))
}

// findRemovals lists what the writes took out for good.
func (p *planner) findRemovals() {
	last := make([]write, p.services)
	at := map[string]int{} // address → its place in removals
	for _, w := range p.writes {
		for _, addr := range last[w.service].addrs {
			if slices.Contains(w.addrs, addr) || p.instances[addr].dies == 0 {
				continue
			}
			gone := removal{addr, w.service, w.at, w.operation}
			if i, before := at[addr]; before {
				p.removals[i] = gone // it had come back
				continue
			}
			at[addr] = len(p.removals)
			p.removals = append(p.removals, gone)
		}
		last[w.service] = w
	}
}

// answers says whether an instance is there.
func (p *plan) answers(addr string, at time.Duration) bool {
	i := p.instances[addr]
	return i != nil && at >= i.born && (i.dies == 0 || at < i.dies)
}
