package node

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/ports"
)

const testLimit = 20 * time.Second

// testPorts are those of all tests: where one looks whether somebody listens at
// an old address, no other may have been given that port.
var testPorts = ports.New()

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := testPorts.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// greet says a name to everybody who connects, until the listener closes.
func greet(l net.Listener, name string) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, name)
			conn.Close()
		}
	}()
	return done
}

// dial connects; greeting reads what is said there.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp4", address, testLimit)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func greeting(t *testing.T, conn net.Conn) string {
	t.Helper()
	defer conn.Close()
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func TestSocketKeepsConnectionsWaitingForALease(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := NewSocket(listen(t))
	defer func() { _ = s.Close() }()
	early := dial(t, s.Addr())
	lease := s.Lease()
	done := greet(lease, "first")
	lease.TakeOver()
	if said := greeting(t, early); said != "first" {
		t.Errorf("the connection that waited was told %q", said)
	}
	lease.release()
	<-done
	late := dial(t, s.Addr())
	if err := late.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := late.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("with nobody serving, a connection ended with %v", err)
	}
	if err := late.SetReadDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	lease = s.Lease()
	done = greet(lease, "second")
	lease.TakeOver()
	if said := greeting(t, late); said != "second" {
		t.Errorf("the connection that waited was told %q", said)
	}
	lease.release()
	<-done
}

func TestSocketGoesToWhoTookOverLast(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := NewSocket(listen(t))
	defer func() { _ = s.Close() }()
	var done []chan struct{}
	lease := func(name string) *Lease {
		l := s.Lease()
		done = append(done, greet(l, name))
		return l
	}
	old, next, failed := lease("old"), lease("next"), lease("failed")
	expect := func(want string) {
		t.Helper()
		if said := greeting(t, dial(t, s.Addr())); said != want {
			t.Errorf("told %q, want %q", said, want)
		}
	}
	old.TakeOver()
	expect("old")
	failed.TakeOver()
	expect("failed")
	failed.release() // It did not get ready: the one before goes on.
	expect("old")
	next.TakeOver()
	expect("next")
	expect("next")
	old.release()
	expect("next")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp4", s.Addr()); err == nil {
		t.Error("the socket is closed and accepts connections")
	}
	for _, d := range done {
		<-d // Leases end with the socket.
	}
}
