package fault

import (
	"sync"
	"sync/atomic"
)

// Blackhole is the darkness of a link's connections, with its proof. It is safe
// for concurrent use.
type Blackhole struct {
	connections []*connection // fixed once injected
	swallowed   atomic.Int64
	established atomic.Int64

	mu      sync.Mutex
	sampled map[*connection]struct{}
}

// Clear resets the connections that went dark, because their streams have
// holes, and leaves what else is wrong with the link.
func (b *Blackhole) Clear() {
	for _, c := range b.connections {
		c.reset()
	}
}

// Connections is the number of connections that went dark.
func (b *Blackhole) Connections() int { return len(b.connections) }

// Swallowed is the number of bytes that vanished in them, both ways.
func (b *Blackhole) Swallowed() int64 { return b.swallowed.Load() }

// Established is the number of those connections whose two sockets the system
// called ESTABLISHED at the moment when their first bytes vanished: it is what
// tells darkness from a connection that is closed.
func (b *Blackhole) Established() int64 { return b.established.Load() }

// swallow counts bytes that vanished in a connection. It looks at the sockets
// first: whoever sees the bytes counted sees the connection counted as well.
func (b *Blackhole) swallow(c *connection, bytes int) {
	b.sample(c)
	b.swallowed.Add(int64(bytes))
}

// sample looks, once, at what the system says of a connection's sockets.
func (b *Blackhole) sample(c *connection) {
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
