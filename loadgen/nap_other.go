//go:build !linux

package loadgen

import "time"

// nap sleeps for about d, at most fineSleep.
func nap(d time.Duration) { time.Sleep(d) }
