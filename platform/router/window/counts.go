package window

import "time"

// countSlots is how finely Counts divides its window (Finagle's WindowedAdder
// and Hystrix's rolling counters have 10).
const countSlots = 10

// Counts counts two things over a window: what ended well and what badly, or
// requests and their retries. The zero value is not usable.
type Counts struct {
	slot  time.Duration
	slots [countSlots]counted
}

type counted struct {
	index     int64
	good, bad int
}

// NewCounts returns empty counts over a window.
func NewCounts(window time.Duration) Counts { return Counts{slot: window / countSlots} }

// Add counts.
func (c *Counts) Add(now time.Time, good, bad int) {
	i := index(now, c.slot)
	s := &c.slots[place(i, countSlots)]
	if s.index != i {
		*s = counted{index: i}
	}
	s.good += good
	s.bad += bad
}

// Sum returns what was counted over the window that ends now.
func (c *Counts) Sum(now time.Time) (good, bad int) {
	oldest := index(now, c.slot) - countSlots + 1
	for i := range c.slots {
		if s := &c.slots[i]; s.index >= oldest {
			good += s.good
			bad += s.bad
		}
	}
	return good, bad
}

// Reset forgets all.
func (c *Counts) Reset() { c.slots = [countSlots]counted{} }
