package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// kernelSocket is a listening socket on which this process never accepts: the
// children to which it is handed do. It stays open while there is none, and
// connections then wait in the kernel's backlog for the next.
//
//	callers ──> kernel's backlog ──> whichever child accepts
//
// Compare Socket, which accepts here and hands connections on.
type kernelSocket struct {
	file *os.File
	addr net.Addr
}

// newKernelSocket takes over a listener.
func newKernelSocket(l *net.TCPListener) (*kernelSocket, error) {
	file, err := fileOf(l)
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	return &kernelSocket{file: file, addr: l.Addr()}, nil
}

// Close closes it here; a child goes on accepting until it ends.
func (s *kernelSocket) Close() error { return s.file.Close() }

// handOut returns a listener that stands for the socket while an instance is
// made; closing it leaves the socket open.
func (s *kernelSocket) handOut() handedOut { return handedOut{s} }

type handedOut struct{ socket *kernelSocket }

var _ net.Listener = handedOut{}

func (h handedOut) Accept() (net.Conn, error) {
	return nil, errors.New("this socket is for processes of their own")
}
func (h handedOut) Close() error   { return nil }
func (h handedOut) Addr() net.Addr { return h.socket.addr }

// fileToPass returns a file of a listener's socket, for a child, and whether the
// socket outlives the instance.
func fileToPass(l net.Listener) (file *os.File, shared bool, err error) {
	switch l := l.(type) {
	case handedOut:
		file, err = duplicate(l.socket.file)
		return file, true, err
	case *net.TCPListener:
		file, err = fileOf(l)
		return file, false, err
	}
	return nil, false, fmt.Errorf("a %T cannot be passed to another process", l)
}

// fileOf is l.File(), but that passing the file on does not make the socket a
// blocking one for everybody else who accepts on it.
func fileOf(l *net.TCPListener) (*os.File, error) { return duplicate(l) }

func duplicate(of syscall.Conn) (*os.File, error) {
	raw, err := of.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("duplicate a listening socket: %w", err)
	}
	var copied int
	control := raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if copied, err = syscall.Dup(int(fd)); err == nil {
			syscall.CloseOnExec(copied)
		}
	})
	if err = errors.Join(control, err); err != nil {
		return nil, fmt.Errorf("duplicate a listening socket: %w", err)
	}
	return os.NewFile(uintptr(copied), "listener"), nil
}

// yielding is a child's listener on a socket that others share. Once it has
// yielded, new connections are theirs, while whoever serves on it notices
// nothing: it only waits.
type yielding struct {
	net.Listener
	mu      sync.Mutex
	yielded bool
	closed  chan struct{}
	once    sync.Once
}

func newYielding(l net.Listener) *yielding {
	return &yielding{Listener: l, closed: make(chan struct{})}
}

func (y *yielding) Accept() (net.Conn, error) {
	conn, err := y.Listener.Accept()
	y.mu.Lock()
	yielded := y.yielded
	y.mu.Unlock()
	if err != nil && yielded {
		<-y.closed
		return nil, net.ErrClosed
	}
	return conn, err
}

// yield stops accepting here.
func (y *yielding) yield() {
	y.mu.Lock()
	y.yielded = true
	y.mu.Unlock()
	_ = y.Listener.Close() // Of this process's hold on the socket only.
}

func (y *yielding) Close() error {
	y.once.Do(func() { close(y.closed) })
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.yielded {
		return nil // It was closed then.
	}
	return y.Listener.Close()
}
