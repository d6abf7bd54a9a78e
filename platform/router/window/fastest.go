package window

import "time"

// Fastest remembers the shortest time of the last 30 s. The zero value is
// ready.
type Fastest struct {
	slots [latencySlots]shortest
}

type shortest struct {
	index int64
	known bool
	took  time.Duration
}

// Add notes how long something took.
func (f *Fastest) Add(now time.Time, took time.Duration) {
	i := index(now, latencySlot)
	s := &f.slots[place(i, latencySlots)]
	if s.index != i || !s.known {
		*s = shortest{index: i, known: true, took: took}
	}
	s.took = min(s.took, took)
}

// Get returns the shortest; false if nothing was noted in the window.
func (f *Fastest) Get(now time.Time) (took time.Duration, known bool) {
	oldest := index(now, latencySlot) - latencySlots + 1
	for _, s := range f.slots {
		if s.known && s.index >= oldest && (!known || s.took < took) {
			took, known = s.took, true
		}
	}
	return took, known
}
