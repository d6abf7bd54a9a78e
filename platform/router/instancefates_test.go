package router

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
)

// An instance that has begun to answer and then refuses the stream has acted
// on it: that it was not sent would be a lie.
func TestRefusedAfterAnAnswer(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", startRaw(t, func(c *rawConn, f http2.Frame) {
		if h, ok := f.(*http2.HeadersFrame); ok {
			c.headers(h.StreamID, false, ":status", "200", "content-type", "application/grpc")
			_ = c.fr.WriteRSTStream(h.StreamID, http2.ErrCodeRefusedStream)
		}
	}))
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	if _, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x")); status.Code(err) != codes.Aborted {
		t.Errorf("status is %v", err)
	}
}

// An instance that says goodbye on one connection, as all do that are told to
// renew theirs, takes the request on the next.
func TestGoodbyeOfTheOnlyInstance(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", startRaw(t, func(c *rawConn, f http2.Frame) {
		h, ok := f.(*http2.HeadersFrame)
		switch {
		case !ok:
		case c.index == 1:
			_ = c.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
		default:
			c.headers(h.StreamID, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "5")
		}
	}))
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	if _, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x")); status.Code(err) != codes.NotFound {
		t.Errorf("status is %v", err)
	}
}

// Of two attempts under way the one that fails does not speak for both.
func TestAHedgeThatFails(t *testing.T) {
	registry := newRegistryStub(t)
	one, two := startBackend(t, "echo-1"), startBackend(t, "echo-2")
	var measuring atomic.Bool
	var asked atomic.Int64
	refused := make(chan struct{})
	serve := func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		switch {
		case measuring.Load():
		case asked.Add(1) == 1: // it is executed, and slow
			<-refused
		default:
			defer close(refused)
			return nil, status.Error(codes.Unavailable, "overloaded")
		}
		return &testpb.SimpleResponse{}, nil
	}
	one.unary, two.unary = serve, serve
	registry.set("echo", one.instance(), two.instance())
	r, addr := startRouter(t, registry, "{strategy: round-robin, overlays: {hedging: {}}}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	measuring.Store(true)
	for range 200 {
		if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a delay is known", func() bool {
		s := r.table.lookup("echo")
		s.mu.Lock()
		defer s.mu.Unlock()
		_, ok := s.hedger.Request(time.Now(), true)
		return ok
	})
	measuring.Store(false)
	ctx := metadata.AppendToOutgoingContext(t.Context(), rpc.KeyMetadata, "k")
	if _, err := c.UnaryCall(ctx, ask("x")); err != nil {
		t.Errorf("it was executed, and the caller is told %v", err)
	}
	if got := asked.Load(); got != 2 {
		t.Errorf("%d attempts", got)
	}
}

// Headers that an instance does not take fail their own request, and not the
// connection that all share.
func TestHeadersTooLargeForTheInstance(t *testing.T) {
	registry := newRegistryStub(t)
	l := listen(t)
	b := &backend{name: "echo-1", addr: l.Addr().String(), server: grpc.NewServer(grpc.MaxHeaderListSize(8192))}
	testpb.RegisterTestServiceServer(b.server, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.server.Serve(l)
	}()
	t.Cleanup(func() {
		b.server.Stop()
		<-done
	})
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "{ejection: {consecutive: 1, max_percent: 100}}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	stream, err := c.FullDuplexCall(t.Context()) // on the same connection
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	large := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("y", 20_000))
	if _, err := c.UnaryCall(large, ask("x")); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("status is %v", err)
	}
	if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
		t.Errorf("after it: %v", err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.OK && err.Error() != "EOF" {
		t.Errorf("beside it: %v", err)
	}
}
