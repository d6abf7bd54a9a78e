package discovery

import "time"

// relistsPerSecond bounds the lists of one router: a list is the most
// expensive thing that it can ask for, and after an outage every router asks.
const relistsPerSecond = 10

// relistJitter spreads the lists of routers whose watches broke together.
const relistJitter = 100 * time.Millisecond

// relistLimit remembers when the last relistsPerSecond lists start.
type relistLimit struct {
	starts [relistsPerSecond]time.Time // a ring; next is the oldest
	next   int
}

// delay returns when a list may start that is wanted after `after`, and
// counts it.
func (l *relistLimit) delay(now time.Time, after time.Duration) time.Duration {
	start := now.Add(after)
	if earliest := l.starts[l.next].Add(time.Second); start.Before(earliest) {
		start = earliest
	}
	l.starts[l.next] = start
	l.next = (l.next + 1) % relistsPerSecond
	return start.Sub(now)
}
