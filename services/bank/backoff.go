package bank

import "time"

// Backoff spaces the attempts to deliver something that must arrive: doubling
// from First to Max, each wait spread over its upper half so that many waiters
// do not come back together.
type Backoff struct {
	First, Max time.Duration
}

// Wait is how long to wait after the given number of failures in a row, which
// starts at 1. random is in [0, 1).
func (b Backoff) Wait(failures int, random float64) time.Duration {
	wait := b.First
	for ; failures > 1 && wait < b.Max; failures-- {
		wait *= 2
	}
	wait = min(wait, b.Max)
	return wait/2 + time.Duration(random*float64(wait/2))
}
