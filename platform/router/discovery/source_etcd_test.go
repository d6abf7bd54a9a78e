package discovery

import (
	"context"
	"testing"
	"time"
)

// TestDialledForTheNextRead: a connection opened ahead is no read; the next
// read takes it, and one that is not taken is closed.
func TestDialledForTheNextRead(t *testing.T) {
	o := newOutage(t)
	o.set("ledger", 1001)
	e := NewEtcd(o.cluster.ClientAddrs)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dial := func() (ended chan struct{}) {
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			e.Dial(ctx)
		}()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(patience); e.next.Load() == nil; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatal("nothing was dialled")
			}
		}
		return ended
	}

	ended := dial()
	if got := e.Reads(); got != 0 {
		t.Errorf("%d reads", got)
	}
	if _, items, err := e.List(t.Context()); err != nil || len(items) != 1 {
		t.Errorf("%d records, %v", len(items), err)
	}
	<-ended
	if got := e.Reads(); got != 1 || e.next.Load() != nil {
		t.Errorf("%d reads, and the connection still waits: %v", got, e.next.Load() != nil)
	}

	ended = dial()
	unused := e.next.Load().etcd
	cancel()
	<-ended
	if e.next.Load() != nil || unused.Ctx().Err() == nil {
		t.Error("a connection that nobody wanted is open")
	}
}
