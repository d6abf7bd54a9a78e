package transport

import (
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// told is an owner that tells of the end.
type told chan *Call

// Done implements Owner.
func (o told) Done(_ *Batch, c *Call) { o <- c }

// TestAStreamThatEndsBetween has the only stream end after a call was refused it
// and before the call is back in the queue: nobody else would wake it.
func TestAStreamThatEndsBetween(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, leave, served := make(chan struct{}, 2), make(chan struct{}), make(chan struct{})
	server := grpc.NewServer(grpc.MaxConcurrentStreams(1), grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		entered <- struct{}{}
		<-leave
		return nil
	}))
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	defer func() {
		server.Stop()
		<-served
	}()
	w, err := NewWire(Config{Targets: []Target{{Name: "test", Addresses: []string{l.Addr().String()}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, patience := make(told, 2), 3*time.Second
	call := func() *Call {
		return &Call{Head: &Head{Path: "/any/one"}, Request: make([]byte, PrefixBytes), Deadline: time.Now().Add(patience), Owner: ended}
	}
	var b Batch
	w.Begin(&b, call())
	b.Flush()
	<-entered

	a, second := w.targets[0][0], call()
	second.use, second.at = 1, a
	a.wait(second, 1)
	w.deadline.add(second, 1, second.Deadline)
	second.mu.Lock()
	admitted := make(chan struct{})
	go func() {
		defer close(admitted)
		var b Batch
		a.admit(&b)
		b.Flush()
	}()
	for a.length() > 0 { // until it is taken from the queue
		runtime.Gosched()
	}
	a.mu.Lock() // it cannot go back yet
	second.mu.Unlock()
	for refused := false; !refused; {
		second.mu.Lock()
		refused = second.timeout.text != "" // its headers were written down
		second.mu.Unlock()
	}
	close(leave)
	select {
	case <-ended: // The first; the second's turn would be now.
	case <-time.After(patience):
		t.Fatal("the first call has not ended")
	}
	a.mu.Unlock()
	<-admitted
	select {
	case c := <-ended:
		if c.Code != codes.OK {
			t.Errorf("code %v %q", c.Code, c.Message)
		}
	case <-time.After(2 * patience):
		t.Error("no end of the second call")
	}
}

func (a *address) length() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting.len()
}
