package driver

import (
	"syscall"
	"time"
)

// nap sleeps for about d. The runtime's timers wake up to a millisecond late,
// which at 4,000/s would send four calls at a time; this is some 0.1 ms late.
func nap(d time.Duration) {
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&ts, nil) // Woken early by a signal, the caller looks at the clock again.
}
