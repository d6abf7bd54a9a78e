package handover

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Gate is a listener that can be shut: connections then wait in the kernel's
// queue, for the gate to open again or for another process that has the socket,
// too. Whoever accepts from it waits meanwhile.
type Gate struct {
	listener *net.TCPListener
	closed   chan struct{}
	once     sync.Once

	mu     sync.Mutex
	opened chan struct{} // closed while the gate is open
}

var _ net.Listener = (*Gate)(nil)

// newGate returns a gate that is shut.
func newGate(l *net.TCPListener) *Gate {
	return &Gate{listener: l, closed: make(chan struct{}), opened: make(chan struct{})}
}

// Accept waits for the gate to be open and for a connection; net.ErrClosed
// after Close.
func (g *Gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		opened := g.opened
		g.mu.Unlock()
		select {
		case <-opened:
		case <-g.closed:
			return nil, net.ErrClosed
		}
		conn, err := g.listener.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // it was shut
		}
		return conn, err
	}
}

// Close closes this process's hold on the socket. It may be called more than
// once.
func (g *Gate) Close() error {
	var err error
	g.once.Do(func() {
		close(g.closed)
		err = g.listener.Close()
	})
	return err
}

// Addr is the socket's address.
func (g *Gate) Addr() net.Addr { return g.listener.Addr() }

func (g *Gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isOpen() {
		_ = g.listener.SetDeadline(time.Time{}) // it fails only when closed
		close(g.opened)
	}
}

func (g *Gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isOpen() {
		g.opened = make(chan struct{})
		_ = g.listener.SetDeadline(time.Unix(1, 0)) // in the past: who waits in Accept comes back
	}
}

func (g *Gate) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}
