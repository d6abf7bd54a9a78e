package balance

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Constants of Prequal (Wydrowski, Kleinberg, Rumble, Archer, "Load is not
// what you should balance: Introducing Prequal", NSDI 2024, the baseline of
// their experiments): pool size 16, r_probe 3, r_remove 1, Q_RIF 2^−¼ ≈ 0.84, δ 1,
// probes of more than a second dropped, random with fewer than two probes.
const (
	prequalPool     = 16
	prequalProbes   = 3
	prequalRemoves  = 1
	prequalQuantile = 0.84
	prequalDelta    = 1.0
	prequalAge      = time.Second
	prequalLeast    = 2
)

// prequalWindow is how many answers the distribution of requests in flight is
// estimated from. (Ours; the paper says recent ones.)
const prequalWindow = 128

// prequal asks instances how they are, all the time but never while a request
// waits, and sends the request to the best of those that have answered lately:
//
//	hot:  more requests in flight than 84 % of recent answers
//	pick: the cold one with the lowest latency; if all are hot, the one with
//	      the fewest requests in flight
//
// Each pick asks three more and drops one answer, by turns the worst and the
// oldest: else good ones are used up and the pool fills with bad ones. An
// answer is good for a few picks, and counts what was sent on the strength of
// it. An instance that fails at once would look idle and fast, and draw all
// requests: one that fails more than others do comes last.
//
// The pool holds half the service at most: where every caller knows everybody,
// all go to the same one. The probe of a lighter endpoint is now and then
// passed over.
type prequal struct {
	members     roster[sickness]
	failing     fading // the sum of the members'
	pool        probePool
	size        int // of the pool, for the last list
	removeWorst bool
	lottery     lottery
	random      randomPicker
	targets     []int // reused by Probes
}

// Ranks of a probe; a lower one is taken first.
const (
	cold = iota
	hot
	sick
)

func (p *prequal) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	p.members.align(endpoints)
	p.size = max(prequalLeast, min(prequalPool, len(endpoints)/2))
	p.pool.expire(now)
	best := p.best(now, rng, endpoints)
	if best < 0 {
		return p.anybody(now, rng, endpoints)
	}
	chosen := &p.pool.probes[best]
	picked := chosen.of.index
	if chosen.uses++; chosen.uses >= p.reuse(len(endpoints)) {
		p.pool.probes = slices.Delete(p.pool.probes, best, best+1)
	}
	for range prequalRemoves {
		p.remove(now)
	}
	return picked
}

// best returns the index of the probe to follow, -1 if there are too few.
func (p *prequal) best(now time.Time, rng *rand.Rand, endpoints []Endpoint) int {
	usable, best, admitted := 0, -1, false
	for i := range p.pool.probes {
		q := &p.pool.probes[i]
		if q.of.index < 0 || !endpoints[q.of.index].Healthy {
			continue
		}
		usable++
		admits := p.lottery.admits(rng, &endpoints[q.of.index])
		if best < 0 || (admits && !admitted) || (admits == admitted && p.compare(now, q, &p.pool.probes[best]) < 0) {
			best, admitted = i, admits
		}
	}
	if usable < prequalLeast {
		return -1
	}
	return best
}

// compare orders probes by who should be taken first.
func (p *prequal) compare(now time.Time, a, b *probe) int {
	rank := p.rank(now, a)
	if c := cmp.Compare(rank, p.rank(now, b)); c != 0 {
		return c
	}
	byLatency, byInFlight := cmp.Compare(a.latency, b.latency), cmp.Compare(a.inFlight, b.inFlight)
	if rank == cold {
		return cmp.Or(byLatency, byInFlight)
	}
	return cmp.Or(byInFlight, byLatency)
}

func (p *prequal) rank(now time.Time, q *probe) int {
	switch {
	case p.isSick(now, q.of):
		return sick
	case q.inFlight > p.pool.hotAbove(prequalQuantile):
		return hot
	}
	return cold
}

// isSick says whether an endpoint fails more than they do on average. (Not
// more than requests do: those may be with the sick one, all of them.)
func (p *prequal) isSick(now time.Time, m *member[sickness]) bool {
	return m.know.failing.at(now)-p.failing.at(now)/float64(len(p.members.byID)) > sickAbove
}

// reuse is how many picks a probe is good for: as many as it takes that the
// pool, which loses prequalRemoves a pick and gains a probe of anybody who is
// not in it yet, grows by δ (the paper's b_reuse).
func (p *prequal) reuse(n int) int {
	gain := (1-float64(p.size)/float64(n))*prequalProbes - prequalRemoves
	if gain <= 0 {
		return math.MaxInt // only age and removal end it
	}
	return max(1, int(math.Ceil((1+prequalDelta)/gain)))
}

// remove drops the worst and the oldest probe by turns, but leaves what a
// choice needs.
func (p *prequal) remove(now time.Time) {
	if len(p.pool.probes) <= prequalLeast {
		return
	}
	p.removeWorst = !p.removeWorst
	worst := 0
	if p.removeWorst {
		for i := range p.pool.probes {
			if p.compare(now, &p.pool.probes[i], &p.pool.probes[worst]) > 0 {
				worst = i
			}
		}
	}
	p.pool.probes = slices.Delete(p.pool.probes, worst, worst+1)
}

// anybody picks at random, of two the one that is not sick.
func (p *prequal) anybody(now time.Time, rng *rand.Rand, endpoints []Endpoint) int {
	i := p.random.Pick(now, rng, endpoints, noLoad{})
	if m := p.members.get(endpoints[i].ID); p.isSick(now, m) {
		return p.random.Pick(now, rng, endpoints, noLoad{})
	}
	return i
}

// Probes implements Prober.
func (p *prequal) Probes(_ time.Time, rng *rand.Rand, endpoints []Endpoint) []int {
	p.targets = p.targets[:0]
	if len(endpoints) == 1 {
		return p.targets // nothing to choose
	}
	for range prequalProbes {
		i := rng.IntN(len(endpoints))
		if endpoints[i].Healthy && !slices.Contains(p.targets, i) {
			p.targets = append(p.targets, i)
		}
	}
	return p.targets
}

func (p *prequal) Observe(e Event) {
	m := p.members.get(e.ID)
	if m == nil {
		return
	}
	switch e.Kind {
	case Sent:
		m.know.pending++
		p.pool.sent(m)
	case Done:
		m.know.pending = max(0, m.know.pending-1)
		p.failing.add(e.At, m.know.answered(e.At, e.Failed))
	case Gone:
		p.pool.drop(m)
		p.failing.add(e.At, -m.know.failing.at(e.At))
		p.members.forget(e.ID)
	case Probed:
		inFlight := m.know.pending // it cannot hold less than ours
		if e.Load != nil {
			inFlight = max(inFlight, e.Load.InFlight)
		}
		p.pool.add(probe{of: m, at: e.At, inFlight: inFlight, latency: e.Took}, p.size)
	}
}
