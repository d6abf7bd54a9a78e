package router

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/overload"
	"breakbank/platform/rpc"
)

// A read that is slow is sent a second time, elsewhere; the first answer is
// taken, and the other attempt cancelled.
func TestHedging(t *testing.T) {
	registry := newRegistryStub(t)
	slow, quick := startBackend(t, "echo-1"), startBackend(t, "echo-2")
	var stuck atomic.Bool
	cancelled := make(chan struct{}, 8)
	slow.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		if !stuck.Load() {
			return &testpb.SimpleResponse{Username: "echo-1"}, nil
		}
		<-ctx.Done()
		cancelled <- struct{}{}
		return nil, ctx.Err()
	}
	registry.set("echo", slow.instance(), quick.instance())
	r, addr := startRouter(t, registry, "{strategy: round-robin, overlays: {hedging: {}}}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	for range 200 { // to know what is slow, without a second attempt yet
		if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
			t.Fatal(err)
		}
	}
	stuck.Store(true)
	// The delay is estimated anew each second; until then none may be known.
	eventually(t, "a delay is known", func() bool {
		s := r.table.lookup("echo")
		s.mu.Lock()
		defer s.mu.Unlock()
		_, ok := s.hedger.Request(time.Now(), true)
		return ok
	})
	ctx, done := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), rpc.ReadMetadata, "1"), 10*time.Second)
	defer done()
	for range 2 { // round-robin: one of them goes to the slow one first
		out, err := c.UnaryCall(ctx, ask("x"))
		if err != nil || out.GetUsername() != "echo-2" {
			t.Fatalf("answered by %q, %v", out.GetUsername(), err)
		}
	}
	<-cancelled
	eventually(t, "all attempts have ended", func() bool {
		s := r.table.lookup("echo")
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.endpoints[0].active == 0 && s.endpoints[1].active == 0
	})
	// Without the caller's word there is no second attempt.
	impatient, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	failed := 0
	for range 2 {
		if _, err := c.UnaryCall(impatient, ask("x")); status.Code(err) == codes.DeadlineExceeded {
			failed++
		}
	}
	if failed == 0 {
		t.Error("a request was sent twice that may be executed once only")
	}
}

// Each data plane asks the overlays before it sends, and tells them the end.
func TestOverlaysRefuse(t *testing.T) {
	for _, c := range []struct{ name, overlays, reason string }{
		{"breaker", "{breaker: {}}", overload.ReasonBreaker},
		{"admission", "{admission: {}}", overload.ReasonAdmission},
	} {
		for _, path := range paths {
			t.Run(c.name+"/"+path.name, func(t *testing.T) {
				registry := newRegistryStub(t)
				b := startBackend(t, "echo-1")
				b.unary = func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					return nil, status.Error(codes.Internal, "broken")
				}
				registry.set("echo", b.instance())
				r, addr := startRouterOn(t, registry, path, "{overlays: "+c.overlays+"}")
				<-r.Ready()
				client := dialRouter(t, addr, "echo")
				want := "refused by overlay " + c.reason
				eventually(t, want, func() bool {
					_, err := client.UnaryCall(t.Context(), ask("x"))
					return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), want)
				})
			})
		}
	}
}

// What cannot finish in its caller's time is not sent.
func TestDeadlineOverlay(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "{overlays: {deadline: {minimum: 10s}}}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
		t.Fatalf("without a deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.UnaryCall(ctx, ask("x")); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), overload.ReasonDeadline) {
		t.Errorf("with too little time: %v", err)
	}
	if got := b.calls.Load(); got != 1 {
		t.Errorf("the instance was asked %d times", got)
	}
}

// Requests beyond the concurrency limit wait for a place and get it.
func TestQueue(t *testing.T) {
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			registry := newRegistryStub(t)
			b := startBackend(t, "echo-1")
			enter, leave := make(chan struct{}, 64), make(chan struct{})
			b.unary = func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				enter <- struct{}{}
				<-leave
				return &testpb.SimpleResponse{}, nil
			}
			registry.set("echo", b.instance())
			r, addr := startRouterOn(t, registry, path, "{overlays: {concurrency: {initial: 2, min: 2, max: 2}, queue: {target: 5s, interval: 5s}}}")
			<-r.Ready()
			c := dialRouter(t, addr, "echo")
			results := make(chan error, 3)
			for range 3 {
				go func() {
					_, err := c.UnaryCall(t.Context(), ask("x"))
					results <- err
				}()
			}
			<-enter
			<-enter
			s := r.table.lookup("echo")
			eventually(t, "the third waits", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.door.Waiting() == 1
			})
			close(leave)
			for range 3 {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// spy notes what a strategy is told.
type spy struct {
	balance.Strategy
	told map[balance.EventKind]int // events with a load
}

func (s *spy) Observe(e balance.Event) {
	if e.Load != nil && e.Load.InFlight > 0 && e.Load.QPS >= 0 {
		s.told[e.Kind]++
	}
	s.Strategy.Observe(e)
}

// What an instance says of itself reaches the strategy that wants to know:
// with its answers, or when it is probed.
func TestLoadReports(t *testing.T) {
	for _, path := range paths {
		for strategy, kind := range map[string]balance.EventKind{"weighted-rr": balance.Done, "prequal": balance.Probed} {
			t.Run(strategy+"/"+path.name, func(t *testing.T) {
				registry := newRegistryStub(t)
				registry.set("echo", startInstance(t, "echo-1"), startInstance(t, "echo-2"))
				r, addr := startRouterOn(t, registry, path, "{strategy: "+strategy+"}")
				<-r.Ready()
				s := r.table.lookup("echo")
				told := &spy{Strategy: s.strategy, told: map[balance.EventKind]int{}}
				s.mu.Lock()
				s.strategy = told
				s.mu.Unlock()
				stream, err := dialRouter(t, addr, "echo").FullDuplexCall(t.Context()) // so that something is in flight
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = stream.CloseSend() }()
				c := dialRouter(t, addr, "echo")
				eventually(t, "the strategy is told", func() bool {
					if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
						t.Fatal(err)
					}
					s.mu.Lock()
					defer s.mu.Unlock()
					return told.told[kind] > 0
				})
			})
		}
	}
}

// startInstance starts a server as the services of the bank are, which says
// how loaded it is.
func startInstance(t *testing.T, name string) instance {
	t.Helper()
	l := listen(t)
	server := rpc.NewServer(rpc.ServerConfig{Service: "echo", Instance: name, Listener: l})
	testpb.RegisterTestServiceServer(server.Registrar(), &backend{name: name})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve()
	}()
	t.Cleanup(func() {
		server.Kill()
		<-done
	})
	return instance{name, l.Addr().String()}
}
