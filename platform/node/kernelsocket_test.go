package node

import (
	"errors"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// accepting returns a listener as a child makes it of the file it is passed.
func accepting(t *testing.T, s *kernelSocket) net.Listener {
	t.Helper()
	file, shared, err := fileToPass(s.handOut())
	if err != nil || !shared {
		t.Fatalf("shared %v, %v", shared, err)
	}
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestWhoYieldsLeavesConnectionsToOthers: and who serves on the listener does
// not notice, until it closes it.
func TestWhoYieldsLeavesConnectionsToOthers(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	socket, err := newKernelSocket(listen(t))
	if err != nil {
		t.Fatal(err)
	}
	address := socket.addr.String()
	old, next := newYielding(accepting(t, socket)), accepting(t, socket)

	accepted := make(chan error, 1)
	var work sync.WaitGroup
	work.Go(func() {
		conn, err := old.Accept()
		if err == nil {
			conn.Close()
		}
		accepted <- err
	})
	old.yield()
	done := greet(next, "next")
	for range 20 {
		if who := greeting(t, dial(t, address)); who != "next" {
			t.Fatalf("served by %q", who)
		}
	}
	select {
	case err := <-accepted:
		t.Fatalf("Accept of who has yielded returned %v", err)
	default:
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	work.Wait()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	next.Close()
	<-done
	// Nobody accepts, and nobody is turned away.
	dial(t, address).Close()
	if err := socket.Close(); err != nil {
		t.Error(err)
	}
	if !refused(address) {
		t.Error("the socket is open")
	}
}
