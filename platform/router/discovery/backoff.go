package discovery

import (
	"math/rand/v2"
	"time"
)

// Backoff of lists and watches that failed: linkerd's for its Kubernetes
// client, Backoff.exponentialJittered(10.millis, 10.seconds).
const (
	backoffMin = 10 * time.Millisecond
	backoffMax = 10 * time.Second
)

// backoff doubles from backoffMin to backoffMax and never ends. Each delay is
// drawn from the upper half of its step, so that routers that failed together
// do not come back together.
type backoff struct{ step time.Duration }

func (b *backoff) next(rng *rand.Rand) time.Duration {
	b.step = min(max(2*b.step, backoffMin), backoffMax)
	return b.step/2 + time.Duration(rng.Int64N(int64(b.step/2)+1))
}

func (b *backoff) reset() { b.step = 0 }
