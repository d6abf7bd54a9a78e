// Package window remembers what happened lately, in constant memory: how many
// requests ended well and badly, how long they took, the fastest of them.
// Overlays decide by it.
//
// A window is divided into slots of which the oldest falls out whole, so what
// it covers is between its length and one slot less. Time is an argument.
// Nothing here may be used from two goroutines at once; the owner locks.
package window

import "time"

// index numbers the slots of time, each long as slot says.
func index(now time.Time, slot time.Duration) int64 {
	ns, long := now.UnixNano(), int64(max(slot, 1))
	i := ns / long
	if ns%long < 0 {
		i-- // before 1970 too a slot is as long as any other
	}
	return i
}

// place is where a slot lies in a ring of size slots.
func place(index int64, size int) int {
	return int(((index % int64(size)) + int64(size)) % int64(size))
}
