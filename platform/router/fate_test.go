package router

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
)

// handBack is a server that takes one connection, hands the first request on
// it back unprocessed (GOAWAY below its stream), and is gone.
func handBack(t *testing.T) instance {
	t.Helper()
	l := listen(t)
	var done sync.WaitGroup
	done.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(conn, conn)
		_ = framer.WriteSettings()
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			if _, ok := frame.(*http2.HeadersFrame); ok {
				_ = l.Close()
				_ = framer.WriteGoAway(0, http2.ErrCodeNo, nil)
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
	})
	return instance{"echo-1", l.Addr().String()}
}

// TestHandedBackIsNotLost: grpc repeats by itself what a server handed back;
// when that finds no connection, still nothing has been executed.
func TestHandedBackIsNotLost(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", handBack(t))
	r, addr := startRouter(t, registry, "retries: {kind: none}")
	<-r.Ready()
	if _, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x")); status.Code(err) != codes.Unavailable {
		t.Errorf("status is %v", err)
	}
}

// TestNoConnectionInTime: an address that accepts and says nothing has not
// been reached, however the wait for it ends; but a caller that has no time to
// wait proves nothing about it.
func TestNoConnectionInTime(t *testing.T) {
	silent := listen(t)
	defer silent.Close()
	registry := newRegistryStub(t)
	registry.set("echo", instance{"echo-1", silent.Addr().String()})
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	e := r.table.lookup("echo").endpoints[0]
	// skipped says whether the address is left alone after a caller of such
	// patience, and how long that took.
	skipped := func(patience time.Duration) (bool, time.Duration) {
		attempts, sent, began := r.attempts.Load(), int64(0), time.Now()
		// On a busy machine a request may be out of time before it is attempted.
		for range 20 {
			sent++
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := c.UnaryCall(ctx, ask("x"))
			cancel()
			if err == nil {
				t.Fatal("answered")
			}
			if r.attempts.Load() > attempts {
				break
			}
		}
		if got := r.attempts.Load() - attempts; got < 1 || got > sent {
			t.Errorf("%d attempts of %d requests", got, sent)
		}
		s := r.table.lookup("echo")
		active := func() int { s.mu.Lock(); defer s.mu.Unlock(); return e.active }
		eventually(t, "the attempt ends", func() bool { return active() == 0 })
		took := time.Since(began)
		s.mu.Lock()
		defer s.mu.Unlock()
		return e.reached.Skipped(time.Now()), took
	}
	if left, took := skipped(unreachableAfter / 5); left && took < unreachableAfter {
		t.Errorf("skipped after an impatient caller, %v", took)
	} else if left {
		t.Skipf("SKIPPED: the machine stood still: an impatient caller waited for %v", took)
	}
	if left, took := skipped(unreachableAfter * 2); !left {
		t.Errorf("not skipped after a patient caller, %v", took)
	}
}

// TestFates: what is told on the wire, and what the caller hears of it.
func TestFates(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name     string
		ctx      context.Context
		reply    *reply
		fate     fate
		sentOnce bool
		want     codes.Code
	}{
		{"no connection", t.Context(), &reply{err: status.Error(codes.Unavailable, "")}, neverSent, false, codes.Unavailable},
		{"no connection after a loss", t.Context(), &reply{err: status.Error(codes.Unavailable, "")}, neverSent, true, codes.Aborted},
		{"cancelled before it was sent", gone, &reply{err: status.Error(codes.Canceled, "")}, neverSent, false, codes.Canceled},
		{"too large to be sent", t.Context(), &reply{err: status.Error(codes.Internal, "")}, unsendable, false, codes.Internal},
		{"the caller is gone", t.Context(), &reply{err: io.ErrClosedPipe, callerGone: true}, abandoned, false, codes.Unknown},
	} {
		q := &course{sentOnce: c.sentOnce}
		f := c.reply.fate(c.ctx)
		if f != c.fate {
			t.Errorf("%s: fate %d, want %d", c.name, f, c.fate)
		}
		if err := q.verdict(c.ctx, f, &endpoint{}, c.reply.err); status.Code(err) != c.want {
			t.Errorf("%s: the caller is told %v", c.name, err)
		}
	}
	q := &course{sentOnce: true}
	if err := q.verdict(t.Context(), misdelivered, &endpoint{}, status.Error(codes.Unavailable, "")); status.Code(err) != codes.Aborted {
		t.Errorf("misdelivered after a loss: the caller is told %v", err)
	}
}

// TestLostThenMisdeliveredIsUnknown: the second server did not execute it, the
// first may have.
func TestLostThenMisdeliveredIsUnknown(t *testing.T) {
	registry := newRegistryStub(t)
	dying, stranger := startBackend(t, "echo-1"), startBackend(t, "prepaid-1")
	dieOnCall(dying)
	stranger.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		return nil, misdeliver(ctx)
	}
	registry.set("echo", dying.instance())
	r, addr := startRouter(t, registry, "retries: {kind: naive}")
	<-r.Ready()
	die := dying.unary
	dying.unary = func(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		registry.set("echo", stranger.instance())
		eventually(t, "the new table", func() bool { return r.Status().Table["echo"][0] == stranger.addr })
		return die(ctx, in)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), rpc.KeyMetadata, "k")
	if _, err := dialRouter(t, addr, "echo").UnaryCall(ctx, ask("x")); status.Code(err) != codes.Aborted {
		t.Errorf("status is %v", err)
	}
	if got := stranger.calls.Load(); got != 1 {
		t.Errorf("the stranger was asked %d times", got)
	}
}

// TestATableOpensNothing: a connection is made for an endpoint that is used.
func TestATableOpensNothing(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	registry.set("echo", b.instance())
	registry.set("other", b.instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	if _, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x")); err != nil {
		t.Fatal(err)
	}
	for name, used := range map[string]bool{"echo": true, "other": false} {
		s := r.table.lookup(name)
		s.mu.Lock()
		got := s.endpoints[0].channel != nil
		s.mu.Unlock()
		if got != used {
			t.Errorf("%s is connected: %v", name, got)
		}
	}
}

// TestAnAddressThatIsBack is used as soon as it is tried again, not after a
// backoff of the channel's own on top.
func TestAnAddressThatIsBack(t *testing.T) {
	registry := newRegistryStub(t)
	at := deadAddr(t)
	registry.set("echo", instance{"echo-1", at})
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	if _, err := c.UnaryCall(t.Context(), ask("x")); status.Code(err) != codes.Unavailable {
		t.Fatalf("status is %v", err)
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	startBackendOn(t, "echo-1", l)
	back := time.Now()
	eventually(t, "the address answers", func() bool {
		_, err := c.UnaryCall(t.Context(), ask("x"))
		return err == nil
	})
	// gRPC's own backoff begins at 800 ms.
	if took := time.Since(back); took > 3*redialMax {
		t.Errorf("back after %v", took)
	}
}
