package router

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"breakbank/platform/wire"
)

// Ten thousand streams at once, as many callers' connections as a node has
// services.
const (
	scaleStreams = 10_000
	scaleConns   = 16
	// scaleSlack is what memory may differ by before and after, for buffers
	// that have grown and tables that do not shrink.
	scaleSlack = 4 << 20
	// scalePause is between two rounds of messages when there is time for more
	// than one.
	scalePause = 500 * time.Millisecond
)

// held is streams that stay open, and are heard from now and then.
type held struct {
	calls  []*wireCall
	echoed chan struct{} // a message has come back
	ended  sync.WaitGroup
	failed atomic.Pointer[error]
}

func (h *held) open(t *testing.T, conns []*wireCaller, n int) {
	t.Helper()
	h.echoed = make(chan struct{}, n)
	for i := range n {
		var b wire.Batch
		call := &wireCall{
			onData: func(b *wire.Batch, s *wire.Stream, p []byte) {
				s.Consume(b, len(p))
				h.echoed <- struct{}{} // it has room: one message each is under way
			},
			done: func(_ *wireCall, err error) {
				if err != nil {
					h.failed.CompareAndSwap(nil, &err)
				}
				h.ended.Done()
			},
		}
		h.ended.Add(1)
		if err := conns[i%len(conns)].open(&b, call, duplexFields); err != nil {
			t.Fatal(err)
		}
		b.Flush()
		h.calls = append(h.calls, call)
	}
}

// round sends a message on each stream, with the end of it or not, and waits
// for all that comes back.
func (h *held) round(t *testing.T, end bool) {
	t.Helper()
	for _, call := range h.calls {
		var b wire.Batch
		call.stream.SendData(&b, wireMessage(1), end)
		b.Flush()
	}
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for i := range h.calls {
		select {
		case <-h.echoed:
		case <-timer.C:
			t.Fatalf("%d of %d streams have answered", i, len(h.calls))
		}
	}
}

// streamsOpen counts the entries of all stream tables of a router.
func streamsOpen(r *Router) (callers, instances int) {
	f := r.plane.(*frames)
	f.callers.mu.Lock()
	for c := range f.callers.open {
		callers += c.Active()
	}
	f.callers.mu.Unlock()
	s := r.table.lookup("echo")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		if e.channel == nil {
			continue
		}
		for _, c := range *e.channel.(*pool).conns.Load() {
			instances += c.Active()
		}
	}
	return callers, instances
}

func TestManyStreamsHeld(t *testing.T) {
	hold, _ := soak(t)
	registry := newRegistryStub(t)
	instances := []*wireBackend{startWireBackend(t), startWireBackend(t)}
	registry.set("echo", instances[0].instance(), instance{"echo-2", instances[1].instance().addr})
	r, addr := startRouter(t, registry, "{strategy: p2c-ewma}")
	<-r.Ready()
	conns := make([]*wireCaller, scaleConns)
	for i := range conns {
		conns[i] = dialWire(t, addr)
		var b wire.Batch
		if _, err := conns[i].unary(&b, wireMessage(1)); err != nil {
			t.Fatal(err)
		}
	}
	idle, goroutines := memory(), runtime.NumGoroutine()

	var h held
	h.open(t, conns, scaleStreams)
	h.round(t, false)
	if down, up := streamsOpen(r); down != scaleStreams || up != scaleStreams {
		t.Errorf("%d streams of callers and %d to instances are open", down, up)
	}
	most := memory()
	t.Logf("%d streams: %d bytes each in caller, router and instance together, %d goroutines",
		scaleStreams, (most-idle)/scaleStreams, runtime.NumGoroutine())
	if n := runtime.NumGoroutine(); n > goroutines+scaleConns {
		t.Errorf("%d goroutines, which were %d", n, goroutines)
	}
	rounds := 1
	ticker := time.NewTicker(scalePause)
	defer ticker.Stop()
	for until := time.Now().Add(hold); time.Now().Before(until); rounds++ {
		h.round(t, false)
		<-ticker.C
	}
	h.round(t, true)
	h.ended.Wait()
	if err := h.failed.Load(); err != nil {
		t.Errorf("a stream failed: %v", *err)
	}
	t.Logf("%d rounds", rounds)
	h = held{}
	eventually(t, "the stream tables are empty", func() bool {
		down, up := streamsOpen(r)
		return down == 0 && up == 0
	})
	settles(t, idle, scaleSlack, goroutines)
}
