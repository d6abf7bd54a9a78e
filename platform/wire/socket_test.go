package wire

import (
	"net"
	"testing"
	"time"
)

// clocked notes the last deadline for writing.
type clocked struct {
	*net.TCPConn
	deadline time.Time
}

func (c *clocked) SetWriteDeadline(at time.Time) error {
	c.deadline = at
	return c.TCPConn.SetWriteDeadline(at)
}

// A write that waits has a deadline, which must not outlive it: the next one,
// which does not wait, would fail by it half a minute later.
func TestDeadlineEndsWithTheWrite(t *testing.T) {
	near, far := connect(t)
	defer near.Close()
	defer far.Close()
	nc := &clocked{TCPConn: near.(*net.TCPConn)}
	s := newSocket(nc)
	if _, err := s.write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if !nc.deadline.IsZero() {
		t.Errorf("the deadline is left at %v", nc.deadline)
	}
	if n, err := s.tryWrite([]byte("y")); n != 1 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
}
