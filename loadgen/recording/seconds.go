package recording

import "slices"

// openTimes are the histograms of a journey in an open second.
type openTimes [clockCount]histogram

// openSecond holds the latencies of a second that may still get more, by
// journey. A nil one is empty.
type openSecond []*openTimes

// times are the histograms of a journey in an open second.
func (s openSecond) times(journey int) *openTimes {
	if s[journey] == nil {
		s[journey] = &openTimes{}
	}
	return s[journey]
}

// closing is a second being closed: its latencies go to the series and the log,
// a journey and clock at a time, since all at once would hold up every answer
// that comes meanwhile, by some 0.3 ms.
type closing struct {
	active       bool
	second, step int
	// latest are the response times by journey, for OnSecond.
	latest []packed
}

// finished is a second that OnSecond is to be told of.
type finished struct {
	second int
	times  []packed
}

func (r *Recorder) open(second int) openSecond { return r.ring[second%len(r.ring)] }

// advance opens the seconds up to one.
func (r *Recorder) advance(second int) {
	for r.last < second {
		// The place in the ring may be taken still, if there were few records.
		for r.last+1-r.oldest() >= len(r.ring) {
			r.closeOldest()
		}
		r.last++
		r.counts.reach(r.last)
	}
}

// oldest is the first second that has a place in the ring.
func (r *Recorder) oldest() int {
	if r.closing.active {
		return r.closing.second
	}
	return r.first
}

// chore does a step of what there is to do.
func (r *Recorder) chore() {
	if !r.closing.active && r.last-r.first < r.openFor {
		return
	}
	r.closeStep()
}

// closeOldest does all that is left to do for the oldest second.
func (r *Recorder) closeOldest() {
	for oldest := r.oldest(); r.oldest() == oldest; {
		r.closeStep()
	}
}

// closeStep goes on with the second being closed, or begins with the next.
func (r *Recorder) closeStep() {
	c := &r.closing
	if !c.active {
		*c = closing{active: true, second: r.first}
		r.first++
	}
	if c.step < r.log.kinds {
		r.closeKind(c.second, c.step)
		c.step++
	}
	if c.step < r.log.kinds {
		return
	}
	r.series.close()
	r.log.close()
	if r.onSecond != nil && len(r.pending) < pendingMax {
		r.pending = append(r.pending, finished{c.second, c.latest})
	}
	*c = closing{}
}

// closeKind moves one histogram of a second to where it belongs.
func (r *Recorder) closeKind(second, kind int) {
	journey, clock := kind/clockCount, Clock(kind%clockCount)
	h := &r.open(second).times(journey)[clock]
	if clock == Response {
		r.series.add(journey, h, &r.memory)
		if r.onSecond != nil {
			r.closing.latest = append(r.closing.latest, h.pack(seriesCoarser, &r.memory))
		}
	}
	r.log.add(kind, h, &r.memory)
	h.clear(&r.memory)
}

// deliver tells OnSecond what has finished. Only one goroutine does so at a
// time, and without the lock, so that the seconds come in order and OnSecond may
// ask for a Snapshot.
func (r *Recorder) deliver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.delivering {
		return
	}
	r.delivering = true
	for len(r.pending) > 0 {
		f := r.pending[0]
		r.pending = slices.Delete(r.pending, 0, 1)
		r.told = f.second + 1
		second := figuresOf(f.second, r.counts.second(f.second), f.times, 1)
		r.mu.Unlock()
		r.onSecond(second)
		r.mu.Lock()
	}
	r.delivering = false
}

// Finish tells OnSecond of the seconds that it has not been told of, when the
// load has ended. What is recorded later still counts, but is told to nobody.
func (r *Recorder) Finish() {
	if r.onSecond == nil {
		return
	}
	seconds := r.Snapshot().Seconds()
	r.mu.Lock()
	told := r.told
	r.told, r.pending = len(seconds), nil
	r.mu.Unlock()
	for _, second := range seconds[min(told, len(seconds)):] {
		r.onSecond(second)
	}
}
