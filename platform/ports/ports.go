// Package ports hands out loopback listeners on ports that no other part of
// the run has had before.
//
// A stale route must lead to an address where nobody listens, or the outage
// would not be what it was. So a port is never given twice, and all of them
// lie below the range from which kernels draw the source ports of outgoing
// connections: a client that keeps dialling a dead port inside that range
// would, now and then, connect to itself.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
)

// The range lies below the ephemeral ports of Linux (32768, see
// ip_local_port_range) and of macOS (49152), and above the registered ports
// that a developer's machine is likely to use.
const (
	lowPort  = 12_000
	highPort = 32_000
)

// ErrExhausted is returned when the whole range has been handed out or is
// taken by others.
var ErrExhausted = errors.New("no free port left")

// Allocator hands out ports in order from a random start, so that two runs on
// one machine seldom meet. It is safe for concurrent use.
type Allocator struct {
	mu   sync.Mutex
	next int
	left int
}

// New returns an allocator over the whole range.
func New() *Allocator {
	span := highPort - lowPort
	return &Allocator{next: rand.IntN(span), left: span}
}

// Listen returns a listener on 127.0.0.1 at a port that this allocator has
// never handed out. Ports taken by other programs are passed over.
func (a *Allocator) Listen() (*net.TCPListener, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.left > 0 {
		port := lowPort + a.next
		a.next = (a.next + 1) % (highPort - lowPort)
		a.left--
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, syscall.EADDRINUSE):
			continue
		default:
			return nil, fmt.Errorf("listen on 127.0.0.1:%d: %w", port, err)
		}
	}
	return nil, fmt.Errorf("listen on 127.0.0.1: %w between %d and %d", ErrExhausted, lowPort, highPort)
}
