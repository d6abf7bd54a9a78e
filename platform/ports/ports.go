// Package ports hands out loopback listeners on ports that no other part of
// the run has had before, nor any other run on this machine has now.
//
// A stale route must lead to an address where nobody listens, or the outage
// would not be what it was. So a port is never given twice, and all of them
// lie below the range from which kernels draw the source ports of outgoing
// connections: a client that keeps dialling a dead port inside that range
// would, now and then, connect to itself.
//
// Ports are given out of blocks, and a block belongs to one allocator of one
// process on the machine: the one that holds its first port as a UDP socket,
// which nobody is ever given. So an address stays its owner's while nobody
// listens there, and a process that dies gives its blocks back.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// The range lies below the ephemeral ports of Linux (32768, see
// ip_local_port_range) and of macOS (49152), and above the registered ports
// that a developer's machine is likely to use.
const (
	lowPort  = 12_000
	highPort = 32_000
)

// blockSize is how many ports are claimed at a time. A platform of processes
// needs fewer than a hundred at its start.
const blockSize = 100

// ErrExhausted is returned when the whole range has been handed out or is
// taken by others.
var ErrExhausted = errors.New("no free port left")

// Range is ports, the first and the last.
type Range [2]int

// Whole is every port that may be handed out.
var Whole = Range{lowPort, highPort - 1}

// Allocator hands out ports. It is safe for concurrent use. One that is not
// closed keeps its blocks until the process ends.
type Allocator struct {
	of Range

	mu     sync.Mutex
	blocks []net.PacketConn // what says that they are this allocator's
	next   int              // in the newest block
	end    int
	closed bool
}

// New returns an allocator over the whole range.
func New() *Allocator { return &Allocator{of: Whole} }

// Listen returns a listener on 127.0.0.1 at a port that this allocator has
// never handed out. Ports taken by other programs are passed over.
func (a *Allocator) Listen() (*net.TCPListener, error) { return a.ListenOn(net.IPv4(127, 0, 0, 1)) }

// ListenOn is Listen on another address of this machine, such as 0.0.0.0.
func (a *Allocator) ListenOn(ip net.IP) (*net.TCPListener, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if a.next == a.end {
			if err := a.claim(); err != nil {
				return nil, fmt.Errorf("listen on %v: %w", ip, err)
			}
		}
		port := a.next
		a.next++
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: ip, Port: port})
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, syscall.EADDRINUSE):
			continue
		default:
			return nil, fmt.Errorf("listen on %v:%d: %w", ip, port, err)
		}
	}
}

// Address returns an address of this machine's loopback where nobody listens, at
// a port that this allocator has never handed out: for what opens its listeners
// itself.
func (a *Allocator) Address() (string, error) {
	l, err := a.Listen()
	if err != nil {
		return "", err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("free %s: %w", address, err)
	}
	return address, awaitRefusal(address)
}

const (
	// refusalLimit bounds the wait for other processes to become other programs.
	refusalLimit = 5 * time.Second
	refusalPoll  = time.Millisecond
)

// awaitRefusal waits until nobody listens any more. A process that this one is
// just starting has this one's sockets too until it is another program, and so
// holds on for a moment to what we have closed.
func awaitRefusal(address string) error {
	for deadline := time.Now().Add(refusalLimit); ; time.Sleep(refusalPoll) {
		c, err := net.DialTimeout("tcp4", address, refusalLimit)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil
		case err == nil:
			_ = c.Close() // Nothing was said.
		case !errors.Is(err, syscall.ECONNRESET): // that is its end
			return fmt.Errorf("free %s: %w", address, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("free %s: somebody still listens there after %v", address, refusalLimit)
		}
	}
}

// owners are the allocators that have blocks, also those that nobody refers to any
// more: the runtime would close their sockets, and the ports may still be written
// somewhere.
var owners sync.Map

// claim takes a block that nobody has, from a random one on: whoever comes
// after a process that died does not get its ports at once.
func (a *Allocator) claim() error {
	if a.closed {
		return net.ErrClosed
	}
	n := (a.of[1] - a.of[0] + 1) / blockSize
	from := rand.IntN(n)
	for i := range n {
		first := a.of[0] + (from+i)%n*blockSize
		held, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", first))
		switch {
		case err == nil:
			owners.Store(a, true)
			a.blocks = append(a.blocks, held)
			a.next, a.end = first+1, first+blockSize
			return nil
		case errors.Is(err, syscall.EADDRINUSE):
			continue
		default:
			return fmt.Errorf("claim the ports from %d: %w", first, err)
		}
	}
	return fmt.Errorf("%w between %d and %d", ErrExhausted, a.of[0], a.of[1])
}

// Close gives the blocks back: others may be given their ports from now on, and
// this allocator hands out none.
func (a *Allocator) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, held := range a.blocks {
		_ = held.Close() // Nothing was ever sent through it.
	}
	owners.Delete(a)
	a.blocks, a.next, a.end, a.closed = nil, 0, 0, true
}
