package discovery

import (
	"container/heap"
	"maps"
	"time"
)

// Bounds of probing.
const (
	// probeTimeout is how long an instance may take to answer: many times what
	// a connection inside a data centre takes.
	probeTimeout = 250 * time.Millisecond
	// probeAgain is the least time from one probe of an address to the next.
	probeAgain = 250 * time.Millisecond
	// probeRarely is the most, for one that has always answered: it grows with
	// the time that the address has been asked for, a probeShare of it.
	probeRarely = 5 * time.Second
	probeShare  = 10
	// maxProbes bounds the probes under way, and those begun within a tick.
	maxProbes = 64
	// lateAllowed is how many probes in a row may find nobody in time before
	// that counts as nobody: an instance, or this router, that stood still for
	// a moment is late once. With probeAgain and probeTimeout that is settled
	// after half a second.
	lateAllowed = 2
)

// visit is an address that is asked, again and again, whether its instance is
// there.
type visit struct {
	service  string
	endpoint Endpoint
	newcomer bool // named by the record; not one that it took out
	since    time.Time
	over     bool // nobody wants to know any more

	due      time.Time
	begun    time.Time // the last probe; zero: none yet
	late     int       // in a row
	answered bool
	index    int // in the queue, -1 for none
}

func (v *visit) key() addressKey { return addressKey{v.service, v.endpoint.Addr} }

// probes are the visits that wait for their time and those being made.
type probes struct {
	queue    visitQueue
	underWay map[addressKey]*visit
	begun    int // in this tick
	// asked is when an address was last asked, while that says that it is too
	// soon to ask again: its visit may be over, and it may be taken out anew.
	asked map[addressKey]time.Time
}

func (p *probes) tick(now time.Time) {
	p.begun = 0
	maps.DeleteFunc(p.asked, func(_ addressKey, at time.Time) bool { return now.Sub(at) >= probeAgain })
}

// visit begins to ask for an address.
func (c *Core) visit(service string, ep Endpoint, probed bool) *visit {
	v := &visit{service: service, endpoint: ep, since: c.now, due: c.now, index: -1}
	if probed {
		heap.Push(&c.probes.queue, v)
	}
	return v
}

// hurry has an address asked as soon as it may be.
func (p *probes) hurry(v *visit, now time.Time) {
	if v.index < 0 {
		return // it is being asked
	}
	if v.due = v.begun.Add(probeAgain); v.due.Before(now) {
		v.due = now
	}
	heap.Fix(&p.queue, v.index)
}

// probe makes the visits that are due.
func (c *Core) probe() {
	p := &c.probes
	for len(p.queue) > 0 && p.begun < maxProbes && len(p.underWay) < maxProbes {
		v := p.queue[0]
		if !v.over && v.due.After(c.now) {
			return
		}
		heap.Pop(&p.queue)
		last, asked := p.asked[v.key()]
		switch _, asking := p.underWay[v.key()]; {
		case v.over:
		case asking: // for one before it, who may have been another instance
			v.begun, v.due = c.now, c.now.Add(probeAgain)
			heap.Push(&p.queue, v)
		case asked && c.now.Sub(last) < probeAgain: // so was the one before it
			v.begun, v.due = last, last.Add(probeAgain)
			heap.Push(&p.queue, v)
		default:
			v.begun = c.now
			p.underWay[v.key()], p.asked[v.key()] = v, c.now
			p.begun++
			c.do(Probe{Service: v.service, Endpoint: v.endpoint})
		}
	}
}

// probed takes what a visit has found.
func (c *Core) probed(e Probed) {
	key := addressKey{e.Service, e.Addr}
	v := c.probes.underWay[key]
	delete(c.probes.underWay, key)
	if v == nil || v.over {
		return
	}
	switch {
	case e.Alive:
		v.late, v.answered = 0, true
		if v.newcomer {
			c.endIfReplaced(v.service)
			return
		}
	case e.Late && v.late+1 < lateAllowed:
		v.late++
	case v.newcomer:
		v.late = 0
	case e.Late:
		c.letGo(v, "nobody answers there")
		return
	default:
		c.letGo(v, "it is not there")
		return
	}
	wait := probeAgain
	if e.Alive {
		wait = min(max(wait, c.now.Sub(v.since)/probeShare), probeRarely)
	}
	v.due = v.begun.Add(wait)
	heap.Push(&c.probes.queue, v)
}

// visitQueue is a heap: those never made come first, so that what was taken
// out just now does not wait behind what has been kept for long; then the
// earliest.
type visitQueue []*visit

func (q visitQueue) Len() int { return len(q) }

func (q visitQueue) Less(i, j int) bool {
	if a, b := q[i].begun.IsZero(), q[j].begun.IsZero(); a != b {
		return a
	}
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].endpoint.Addr < q[j].endpoint.Addr
}

func (q visitQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is heap's.
func (q *visitQueue) Push(v any) {
	v.(*visit).index = len(*q)
	*q = append(*q, v.(*visit))
}

// Pop is heap's.
func (q *visitQueue) Pop() any {
	last := len(*q) - 1
	v := (*q)[last]
	(*q)[last], *q = nil, (*q)[:last]
	v.index = -1
	return v
}
