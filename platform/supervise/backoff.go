package supervise

import "time"

// How long a part stays down after it has ended by itself: briefly after the
// first time, so that what merely crashed is back before most callers have given
// up, and longer each time that it does not last.
const (
	waitMin = 100 * time.Millisecond
	waitMax = 2 * time.Second
	// settledAfter is how long a part must live for what happened before not to
	// count any more.
	settledAfter = 10 * time.Second
	// loopFrom is how many times in a row a part must end before it has settled
	// to be called a crash loop.
	loopFrom = 3
)

// backoff decides when a part that has ended is started again.
type backoff struct {
	early int // ends in a row, each before the part had settled
}

// ended counts an end after a life and returns how long to wait.
func (b *backoff) ended(lived time.Duration) time.Duration {
	if lived >= settledAfter {
		b.early = 0
	}
	b.early++
	wait := waitMin
	for range b.early - 1 {
		if wait *= 2; wait >= waitMax {
			return waitMax
		}
	}
	return wait
}

// forget starts afresh: somebody has asked for the start.
func (b *backoff) forget() { b.early = 0 }
