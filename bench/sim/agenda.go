package sim

import "time"

// eventKind says what an event is about.
type eventKind uint8

const (
	// departure: the next request of instance who is served; stale unless id
	// is the instance's generation.
	departure eventKind = iota
	// unconnected: attempt what, with that id, gives up connecting.
	unconnected
	// probed: the probe of router who reaches instance what.
	probed
)

// event is something that will happen.
type event struct {
	at    time.Duration
	order uint32 // of events at the same moment: first planned, first done
	id    uint32
	who   int32
	what  int32
	kind  eventKind
}

func (e *event) before(other *event) bool {
	if e.at != other.at {
		return e.at < other.at
	}
	return e.order < other.order
}

// agenda is a heap of events by time. Each has four children, which halves the
// height and keeps them in one or two cache lines. It holds at most what is
// planned for requests under way.
type agenda struct {
	events  []event
	planned uint32
}

const children = 4

func (a *agenda) plan(e event) {
	a.planned++
	e.order = a.planned
	i := len(a.events)
	a.events = append(a.events, e)
	for i > 0 {
		parent := (i - 1) / children
		if !e.before(&a.events[parent]) {
			break
		}
		a.events[i] = a.events[parent]
		i = parent
	}
	a.events[i] = e
}

// next removes the first event; there must be one.
func (a *agenda) next() event {
	first := a.events[0]
	last := a.events[len(a.events)-1]
	a.events = a.events[:len(a.events)-1]
	n := len(a.events)
	if n == 0 {
		return first
	}
	i := 0
	for {
		child := i*children + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+children, n); c++ {
			if a.events[c].before(&a.events[least]) {
				least = c
			}
		}
		if !a.events[least].before(&last) {
			break
		}
		a.events[i] = a.events[least]
		i = least
	}
	a.events[i] = last
	return first
}
