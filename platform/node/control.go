package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
)

// File descriptors that a child finds open.
const (
	listenerFD = 3 // the socket on which it serves
	controlFD  = 4 // its end of the control connection
)

// The control connection is a pair of connected sockets, one end in the node's
// process, the other in the child: nobody else can reach it, it needs no name in
// any file system, and it ends with either of them. Over it goes HTTP/2, so that
// one answer that takes long does not hold up another.
const (
	healthPath  = "/healthz"
	metricsPath = "/metrics"
	logsPath    = "/logs" // telemetry.Logs
)

// controlPair returns the two ends: a connection for this process and a file for
// the child.
func controlPair() (net.Conn, *os.File, error) {
	// No child that is started at this moment may inherit either end.
	syscall.ForkLock.RLock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(ends[0])
		syscall.CloseOnExec(ends[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("open the control connection: %w", err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "control")
	conn, err := connOf(os.NewFile(uintptr(ends[0]), "control"))
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

// connOf makes a connection of an end and closes the file.
func connOf(end *os.File) (net.Conn, error) {
	conn, err := net.FileConn(end)
	if err = errors.Join(err, end.Close()); err != nil {
		return nil, fmt.Errorf("open the control connection: %w", err)
	}
	return conn, nil
}

// cleartextHTTP2 are the only protocols of the control connection.
func cleartextHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

var errControlLost = errors.New("the control connection is lost")

// controlClient returns a client whose every request goes over conn.
func controlClient(conn net.Conn) *http.Client {
	var once sync.Once
	return &http.Client{Transport: &http.Transport{
		Protocols: cleartextHTTP2(),
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			var first net.Conn
			once.Do(func() { first = conn })
			if first == nil {
				return nil, errControlLost
			}
			return first, nil
		},
	}}
}

// oneConn is a listener that accepts one connection, then nothing until it is
// closed.
type oneConn struct {
	conn   chan net.Conn
	addr   net.Addr
	closed chan struct{}
	once   sync.Once
}

func newOneConn(conn net.Conn) *oneConn {
	l := &oneConn{conn: make(chan net.Conn, 1), addr: conn.LocalAddr(), closed: make(chan struct{})}
	l.conn <- conn
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.addr }
