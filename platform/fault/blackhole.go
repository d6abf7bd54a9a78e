package fault

import (
	"context"
	"sync"
	"sync/atomic"
)

// blackhole is the Hole of a Relay.
type blackhole struct {
	connections []*connection // fixed once injected
	swallowed   atomic.Int64
	established atomic.Int64

	mu      sync.Mutex
	sampled map[*connection]struct{}
}

func (b *blackhole) Clear(context.Context) error {
	for _, c := range b.connections {
		c.reset()
	}
	return nil
}

func (b *blackhole) Connections() int   { return len(b.connections) }
func (b *blackhole) Swallowed() int64   { return b.swallowed.Load() }
func (b *blackhole) Established() int64 { return b.established.Load() }

// swallow counts bytes that vanished in a connection. It looks at the sockets
// first: whoever sees the bytes counted sees the connection counted as well.
func (b *blackhole) swallow(c *connection, bytes int) {
	b.sample(c)
	b.swallowed.Add(int64(bytes))
}

// sample looks, once, at what the system says of a connection's sockets.
func (b *blackhole) sample(c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.sampled[c]; known {
		return
	}
	if b.sampled == nil {
		b.sampled = make(map[*connection]struct{})
	}
	b.sampled[c] = struct{}{}
	if c.established() {
		b.established.Add(1)
	}
}
