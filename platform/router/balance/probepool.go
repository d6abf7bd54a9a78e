package balance

import (
	"slices"
	"time"
)

// probe is an answer of an instance to "how are you", good for a few picks.
type probe struct {
	of       *member[sickness]
	at       time.Time
	inFlight int // RIF, as it said, and what this caller has sent it since
	latency  time.Duration
	uses     int
}

// probePool holds the probes of one caller, the oldest first, one for each
// endpoint at most.
type probePool struct {
	probes []probe
	// recent are the last prequalWindow figures of requests in flight that
	// were answered, from next on in the order of arrival; sorted are the same.
	recent, sorted []int
	next           int
}

// add takes a probe in place of an older one of the same endpoint, or of the
// oldest when there are size of them.
func (p *probePool) add(fresh probe, size int) {
	p.drop(fresh.of)
	if len(p.probes) >= size {
		p.probes = slices.Delete(p.probes, 0, len(p.probes)-size+1)
	}
	p.probes = append(p.probes, fresh)
	p.note(fresh.inFlight)
}

// note counts a figure of requests in flight into the recent ones.
func (p *probePool) note(inFlight int) {
	if len(p.recent) < prequalWindow {
		p.recent = append(p.recent, inFlight)
	} else {
		at, _ := slices.BinarySearch(p.sorted, p.recent[p.next])
		p.sorted = slices.Delete(p.sorted, at, at+1)
		p.recent[p.next] = inFlight
		p.next = (p.next + 1) % prequalWindow
	}
	at, _ := slices.BinarySearch(p.sorted, inFlight)
	p.sorted = slices.Insert(p.sorted, at, inFlight)
}

// hotAbove is the number of requests in flight above which an endpoint is hot:
// the quantile q of the recent figures.
func (p *probePool) hotAbove(q float64) int {
	if len(p.sorted) == 0 {
		return 0
	}
	return p.sorted[min(int(q*float64(len(p.sorted))), len(p.sorted)-1)]
}

// expire drops probes that are too old.
func (p *probePool) expire(now time.Time) {
	p.probes = slices.DeleteFunc(p.probes, func(q probe) bool { return now.Sub(q.at) > prequalAge })
}

// drop drops the probe of an endpoint, if there is one.
func (p *probePool) drop(of *member[sickness]) {
	p.probes = slices.DeleteFunc(p.probes, func(q probe) bool { return q.of == of })
}

// sent counts a request of this caller's own into what it knows of an
// endpoint.
func (p *probePool) sent(to *member[sickness]) {
	for i := range p.probes {
		if p.probes[i].of == to {
			p.probes[i].inFlight++
		}
	}
}
