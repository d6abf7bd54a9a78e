package handover

import (
	"errors"
	"net"
	"testing"
	"time"
)

// TestGate: while it is shut connections wait, and are there when it opens.
func TestGate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(l.(*net.TCPListener))
	type accepted struct {
		conn net.Conn
		err  error
	}
	came := make(chan accepted)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := g.Accept()
			came <- accepted{conn, err}
			if err != nil {
				return
			}
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	nothing := func() {
		t.Helper()
		select {
		case a := <-came:
			t.Fatalf("let in %v, %v", a.conn, a.err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	for range 2 {
		defer dial().Close()
		nothing()
		g.open()
		g.open() // changes nothing
		a := <-came
		if a.err != nil {
			t.Fatal(a.err)
		}
		a.conn.Close()
		g.shut()
		g.shut()
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if a := <-came; !errors.Is(a.err, net.ErrClosed) {
		t.Errorf("after Close: %v", a.err)
	}
	<-done
	if err := g.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// TestGateClosesWhileOpen: Close frees who waits for a connection, too.
func TestGateClosesWhileOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(l.(*net.TCPListener))
	g.open()
	ended := make(chan error)
	go func() {
		_, err := g.Accept()
		ended <- err
	}()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
