package loadgen

import (
	"context"
	"time"

	"breakbank/loadgen/nap"
)

// fineSleep is how long before its time a sleep changes from the runtime's
// timers, which can be interrupted but wake up to a millisecond late where the
// poller counts in milliseconds, to nap.For, which is exact to some 0.1 ms.
const fineSleep = 2 * time.Millisecond

// sleepUntil sleeps until t. It says whether ctx still holds.
func sleepUntil(ctx context.Context, timer *time.Timer, t time.Time) bool {
	for {
		left := time.Until(t)
		switch {
		case ctx.Err() != nil:
			return false
		case left <= 0:
			return true
		case left <= fineSleep:
			nap.For(left)
		default:
			timer.Reset(left - fineSleep)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
	}
}

// newStoppedTimer is a timer to be Reset.
func newStoppedTimer() *time.Timer {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return timer
}
