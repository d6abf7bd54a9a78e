package ports

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

func TestNoPortIsHandedOutTwice(t *testing.T) {
	a := New()
	seen := map[string]bool{}
	for range 200 {
		l, err := a.Listen()
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close() // A closed listener frees the port for the kernel, not for us.
		if seen[addr] {
			t.Fatalf("%s handed out twice", addr)
		}
		seen[addr] = true
	}
}

func TestPassesOverPortsTakenByOthers(t *testing.T) {
	a := New()
	taken, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", lowPort+a.next))
	for err != nil { // Something on this machine has that one: try the next.
		a.next++
		taken, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", lowPort+a.next))
	}
	defer taken.Close()
	l, err := a.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Addr().String() == taken.Addr().String() {
		t.Fatalf("handed out %s, which another program holds", l.Addr())
	}
}

func TestStaysBelowEphemeralPorts(t *testing.T) {
	a := New()
	a.next = highPort - lowPort - 1
	for range 3 {
		l, err := a.Listen()
		if err != nil {
			t.Fatal(err)
		}
		if port := l.Addr().(*net.TCPAddr).Port; port < lowPort || port >= highPort {
			t.Errorf("port %d lies outside [%d, %d)", port, lowPort, highPort)
		}
		l.Close()
	}
}

func TestExhaustionIsAnError(t *testing.T) {
	a := New()
	a.left = 0
	if _, err := a.Listen(); !errors.Is(err, ErrExhausted) {
		t.Fatalf("got %v, want %v", err, ErrExhausted)
	}
}
