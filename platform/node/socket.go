package node

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// acceptPause keeps a socket that fails (too many open files) from spinning.
const acceptPause = 10 * time.Millisecond

// Socket is a listening TCP socket that outlives those who serve on it: it
// lends itself out, and hands each connection to whoever took over last.
//
//	callers ──> kernel's backlog ──> Socket ──> latest Lease that took over
//	                                        ╌╌> earlier Lease, once that closes
//
// With no such lease it accepts nothing: connections wait in the kernel's
// backlog, which is bounded (net.core.somaxconn, 4096 on Linux), but for at
// most one that was being accepted when the last lease closed.
type Socket struct {
	listener *net.TCPListener
	work     sync.WaitGroup

	mu      sync.Mutex
	serving []*Lease // those that have taken over, the latest last
	changed chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// NewSocket takes over a listener.
func NewSocket(l *net.TCPListener) *Socket {
	s := &Socket{listener: l, changed: make(chan struct{}), closed: make(chan struct{})}
	s.work.Go(s.accept)
	return s
}

// Addr is the address (host:port) of the socket.
func (s *Socket) Addr() string { return s.listener.Addr().String() }

// Lease returns a listener on the socket, which gets connections from its
// TakeOver on. Any number of leases may be out at once.
func (s *Socket) Lease() *Lease {
	return &Lease{socket: s, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Close closes the socket and waits until nothing is accepted any more. Leases
// are closed, too.
func (s *Socket) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		err = s.listener.Close()
		s.mu.Lock()
		serving := slices.Clone(s.serving)
		s.mu.Unlock()
		for _, l := range serving {
			l.release()
		}
	})
	s.work.Wait()
	return err
}

func (s *Socket) accept() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for s.awaitLease() {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			pause.Reset(acceptPause)
			select {
			case <-pause.C:
				continue
			case <-s.closed:
				return
			}
		}
		s.deliver(conn)
	}
}

// awaitLease waits until somebody serves; false means that the socket is
// closed.
func (s *Socket) awaitLease() bool {
	for {
		lease, changed := s.latest()
		if lease != nil {
			return true
		}
		select {
		case <-changed:
		case <-s.closed:
			return false
		}
	}
}

// deliver hands a connection to the latest lease, whichever that is by the
// time that one accepts.
func (s *Socket) deliver(conn net.Conn) {
	for {
		lease, changed := s.latest()
		var to chan<- net.Conn
		if lease != nil {
			to = lease.conns
		}
		select {
		case to <- conn:
			return
		case <-changed:
		case <-s.closed:
			conn.Close()
			return
		}
	}
}

func (s *Socket) latest() (*Lease, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.serving) == 0 {
		return nil, s.changed
	}
	return s.serving[len(s.serving)-1], s.changed
}

// change alters the list of serving leases and tells who waits for that.
func (s *Socket) change(alter func([]*Lease) []*Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = alter(s.serving)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Lease is a net.Listener on a Socket. Closing it leaves the socket open.
type Lease struct {
	socket *Socket
	conns  chan net.Conn

	mu     sync.Mutex // held while taking over and closing
	closed chan struct{}
	done   bool
}

var _ net.Listener = (*Lease)(nil)

// TakeOver makes connections come to this lease from now on, until it closes
// or another one takes over.
func (l *Lease) TakeOver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return
	}
	l.socket.change(func(serving []*Lease) []*Lease {
		return append(slices.DeleteFunc(serving, func(other *Lease) bool { return other == l }), l)
	})
}

// Accept waits for the next connection; net.ErrClosed after Close.
func (l *Lease) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.socket.closed:
		return nil, net.ErrClosed
	}
}

// Close gives the lease back. It may be called more than once.
func (l *Lease) Close() error {
	l.release()
	return nil
}

func (l *Lease) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return
	}
	l.done = true
	close(l.closed)
	l.socket.change(func(serving []*Lease) []*Lease {
		return slices.DeleteFunc(serving, func(other *Lease) bool { return other == l })
	})
}

// Addr is the socket's address.
func (l *Lease) Addr() net.Addr { return l.socket.listener.Addr() }
