package sim

import "time"

// attempt is a request on its way. Requests are tried once.
type attempt struct {
	began    time.Duration
	id       uint32 // tells it from others that were in the same place
	router   int32
	instance int32
	found    int32 // requests at the instance when it came
	ended    bool  // its caller knows how it ended
	held     bool  // it is in a station
	watched  bool  // it was sent to a watched instance
}

// pool keeps attempts in a slice, and reuses their places.
type pool struct {
	attempts []attempt
	free     []int32
	ids      uint32
}

// open returns the place of a new attempt.
func (p *pool) open(a attempt) int32 {
	p.ids++
	a.id = p.ids
	if n := len(p.free); n > 0 {
		at := p.free[n-1]
		p.free = p.free[:n-1]
		p.attempts[at] = a
		return at
	}
	p.attempts = append(p.attempts, a)
	return int32(len(p.attempts) - 1)
}

// close gives a place back once neither caller nor station needs it.
func (p *pool) close(at int32) {
	if a := &p.attempts[at]; a.ended && !a.held {
		a.id = 0
		p.free = append(p.free, at)
	}
}

// deadlines are when callers give up: all are equally patient, so they come in
// the order of the arrivals, and need no heap.
type deadlines struct {
	waiting []deadline // from head on
	head    int
}

type deadline struct {
	at      time.Duration
	attempt int32
	id      uint32
}

func (d *deadlines) add(one deadline) {
	if len(d.waiting) == cap(d.waiting) && d.head > len(d.waiting)/2 {
		n := copy(d.waiting, d.waiting[d.head:])
		d.waiting, d.head = d.waiting[:n], 0
	}
	d.waiting = append(d.waiting, one)
}

// next is when the first caller that still waits gives up, never if none does.
func (d *deadlines) next(p *pool) time.Duration {
	for d.head < len(d.waiting) {
		one := &d.waiting[d.head]
		if a := &p.attempts[one.attempt]; a.id == one.id && !a.ended {
			return one.at
		}
		d.head++
	}
	return never
}
