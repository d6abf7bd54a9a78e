package wire

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a TCP connection that can be written to without waiting.
type socket struct {
	nc     net.Conn
	raw    syscall.RawConn // nil: not a socket of the system, writes wait
	closed atomic.Bool

	// Of tryWrite, whose user there is one of at a time: what it writes, how
	// that went, and the function that does it, so that it needs no memory.
	out     []byte
	written int
	failed  error
	once    func(fd uintptr) bool
}

func newSocket(nc net.Conn) *socket {
	s := &socket{nc: nc}
	s.once = s.writeOnce
	if sc, ok := nc.(syscall.Conn); ok {
		s.raw, _ = sc.SyscallConn() // a closed one fails at the first read
	}
	return s
}

// tryWrite gives the socket as much as it takes now.
func (s *socket) tryWrite(p []byte) (n int, err error) {
	if s.raw == nil {
		return 0, nil
	}
	s.out, s.written, s.failed = p, 0, nil
	err = s.raw.Write(s.once)
	s.out = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(s.failed, unix.EAGAIN):
		return 0, nil
	}
	return max(s.written, 0), s.failed
}

func (s *socket) writeOnce(fd uintptr) bool {
	for {
		s.written, s.failed = unix.Write(int(fd), s.out)
		if !errors.Is(s.failed, unix.EINTR) {
			return true // whatever it is, do not wait
		}
	}
}

// write waits until the socket has taken everything, or nothing for
// writeStall.
func (s *socket) write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if err = s.nc.SetWriteDeadline(time.Now().Add(writeStall)); err != nil {
			break
		}
		var m int
		m, err = s.nc.Write(p[n:min(len(p), n+readBuffer)])
		n += m
	}
	if err == nil {
		err = s.nc.SetWriteDeadline(time.Time{}) // one that has passed fails tryWrite
	}
	return n, err
}

// close ends both directions; a read or write under way fails.
func (s *socket) close() {
	if !s.closed.Swap(true) {
		_ = s.nc.Close() // there is nobody to tell
	}
}

// linger takes what comes until the peer has ended too, d at most, and closes.
// The kernel resets a connection that is closed with anything unread, and the
// peer might not get to read what was written last. If that is still being
// written, written is closed when it is done.
func (s *socket) linger(d time.Duration, written <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	_ = s.nc.SetReadDeadline(time.Now().Add(d))
	if tcp, ok := s.nc.(*net.TCPConn); ok && written == nil {
		_ = tcp.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, s.nc) // it ends by the deadline
	if written != nil {
		select {
		case <-written:
		case <-timer.C:
		}
	}
	s.close()
}

// closeAfter says goodbye to the peer and gives it some time to do the same.
func (s *socket) closeAfter(d time.Duration) {
	// What fails here has failed for the reader too.
	_ = s.nc.SetReadDeadline(time.Now().Add(d))
	if tcp, ok := s.nc.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
