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
}

func newSocket(nc net.Conn) *socket {
	s := &socket{nc: nc}
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
	failed := s.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), p)
			if !errors.Is(err, unix.EINTR) {
				return true // whatever it is, do not wait
			}
		}
	})
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	if failed != nil {
		err = failed
	}
	return max(n, 0), err
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
