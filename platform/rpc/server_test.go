package rpc_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
	bookv1 "breakbank/proto/book/v1"
)

func TestWhatIsMeantForAnotherIsRefusedAndNotExecuted(t *testing.T) {
	impl := &ledger{}
	l := listen(t, "127.0.0.1:0")
	s := serve(t, "ledger", "ledger-1", l, impl)
	tests := []struct {
		name      string
		authority string
		md        []string
		want      string // the reason, "" when executed
	}{
		{"by name", "ledger", nil, ""},
		{"by name, for this instance", "ledger", []string{rpc.InstanceWantMetadata, "ledger-1"}, ""},
		{"by name, for another instance", "ledger", []string{rpc.InstanceWantMetadata, "ledger-7"}, rpc.RefusedWrongInstance},
		{"by another name", "balance", nil, rpc.RefusedWrongService},
		{"by address", l.Addr().String(), nil, rpc.RefusedWrongService},
		{"by address, naming the service", l.Addr().String(), []string{rpc.ServiceMetadata, "ledger"}, ""},
		{"by name, naming another service", "ledger", []string{rpc.ServiceMetadata, "feed"}, rpc.RefusedWrongService},
	}
	var executed, refused int64
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := metadata.AppendToOutgoingContext(rpc.WithKey(t.Context(), "k"), test.md...)
			var trailer metadata.MD
			_, err := dial(t, test.authority, l.Addr().String()).Apply(ctx, &bookv1.ApplyRequest{}, grpc.Trailer(&trailer))
			reason := append(trailer.Get(rpc.RefusedTrailer), "")[0]
			if reason != test.want {
				t.Errorf("refused for %q, want %q", reason, test.want)
			}
			want := codes.OK
			if test.want == "" {
				executed++
			} else {
				want = codes.Unavailable
				refused++
			}
			if status.Code(err) != want {
				t.Errorf("got %v, want %v", err, want)
			}
			if n := impl.executed.Load(); n != executed {
				t.Errorf("executed %d, want %d", n, executed)
			}
			if n := s.Refused(); n != refused {
				t.Errorf("counted %d refusals, want %d", n, refused)
			}
		})
	}
}

func TestDrainSaysNotServingFirstAndFinishesWhatIsInFlight(t *testing.T) {
	release := make(chan struct{})
	impl := &ledger{apply: func(_ context.Context, n int64) error {
		if n == 1 {
			<-release
		}
		return nil
	}}
	l := listen(t, "127.0.0.1:0")
	// Long enough for a call in between, on a busy machine too.
	s := rpc.NewServer(rpc.ServerConfig{Service: "ledger", Instance: "ledger-1", Listener: l, DrainFor: 2 * time.Second})
	bookv1.RegisterBookServiceServer(s.Registrar(), impl)
	var closed atomic.Int64
	s.OnClose(func() { closed.Add(1) })
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()

	d := rpc.NewDialer(rpc.DialerConfig{RouterAddr: l.Addr().String()})
	defer func() { _ = d.Close() }()
	conn, err := d.Dial(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	client := bookv1.NewBookServiceClient(conn)
	health, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: "ledger"})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if got, err := health.Recv(); err != nil || got.GetStatus() != want {
			t.Fatalf("health %v, %v, want %v", got.GetStatus(), err, want)
		}
	}
	expect(healthv1.HealthCheckResponse_SERVING)

	inFlight := make(chan error, 1)
	go func() {
		_, err := client.Apply(t.Context(), &bookv1.ApplyRequest{})
		inFlight <- err
	}()
	eventually(t, "a call is in flight", func() bool { return impl.executed.Load() == 1 })

	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	expect(healthv1.HealthCheckResponse_NOT_SERVING)
	if _, err := client.Apply(t.Context(), &bookv1.ApplyRequest{}); err != nil {
		t.Errorf("call after NOT_SERVING, before the stop: %v", err)
	}
	if n := closed.Load(); n != 0 {
		t.Error("closed before what is in flight had finished")
	}
	close(release)
	if err := <-inFlight; err != nil {
		t.Errorf("call in flight: %v", err)
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	s.Kill()
	if n := closed.Load(); n != 1 {
		t.Errorf("closed %d times, want once", n)
	}
	if _, err := client.Apply(t.Context(), &bookv1.ApplyRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("call after the drain: got %v, want Unavailable", err)
	}
}

func TestDrainCutsOffWhatDoesNotFinish(t *testing.T) {
	impl := &ledger{apply: func(ctx context.Context, _ int64) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	l := listen(t, "127.0.0.1:0")
	s := serve(t, "ledger", "ledger-1", l, impl)
	client := dial(t, "ledger", l.Addr().String())
	inFlight := make(chan error, 1)
	go func() {
		_, err := client.Apply(t.Context(), &bookv1.ApplyRequest{})
		inFlight <- err
	}()
	eventually(t, "a call is in flight", func() bool { return impl.executed.Load() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(ctx); err == nil {
		t.Error("the drain does not say that it cut off a call")
	}
	if err := <-inFlight; status.Code(err) != codes.Aborted {
		t.Errorf("call cut off: got %v, want Aborted", err)
	}
}

func TestKillEndsCallsInFlight(t *testing.T) {
	impl := &ledger{apply: func(ctx context.Context, _ int64) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	l := listen(t, "127.0.0.1:0")
	s := serve(t, "ledger", "ledger-1", l, impl)
	client := dial(t, "ledger", l.Addr().String())
	inFlight := make(chan error, 1)
	go func() {
		_, err := client.Apply(t.Context(), &bookv1.ApplyRequest{})
		inFlight <- err
	}()
	eventually(t, "a call is in flight", func() bool { return impl.executed.Load() == 1 })
	s.Kill()
	if err := <-inFlight; status.Code(err) != codes.Aborted {
		t.Errorf("got %v, want Aborted", err)
	}
}

// What OnClose closes is in use until the last handler has returned: pebble
// panics when it is used after its Close.
func TestNothingIsClosedUnderARunningHandler(t *testing.T) {
	cancelled := func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	}
	for _, test := range []struct {
		name string
		end  func(*rpc.Server)
	}{
		{"Kill", (*rpc.Server).Kill},
		{"a drain that runs out of time", func(s *rpc.Server) { _ = s.Drain(cancelled(context.Background())) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			closed, handled := make(chan struct{}), make(chan struct{})
			impl := &ledger{apply: func(ctx context.Context, _ int64) error {
				defer close(handled)
				<-ctx.Done()
				select { // It has yet to write down that it was cut off.
				case <-closed:
					t.Error("closed under a running handler")
				case <-time.After(100 * time.Millisecond):
				}
				return ctx.Err()
			}}
			l := listen(t, "127.0.0.1:0")
			s := serve(t, "ledger", "ledger-1", l, impl)
			s.OnClose(func() { close(closed) })
			callInFlight(t, l, impl)
			test.end(s)
			<-handled
			select {
			case <-closed:
			default:
				t.Error("it returned before all was closed")
			}
		})
	}
}

func TestKillDoesNotWaitForAHandlerThatMindsNothing(t *testing.T) {
	release := make(chan struct{})
	impl := &ledger{apply: func(context.Context, int64) error {
		<-release
		return nil
	}}
	l := listen(t, "127.0.0.1:0")
	s := rpc.NewServer(rpc.ServerConfig{Service: "ledger", Instance: "ledger-1", Listener: l})
	bookv1.RegisterBookServiceServer(s.Registrar(), impl)
	var closed atomic.Bool
	s.OnClose(func() { closed.Store(true) })
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	callInFlight(t, l, impl)
	began := time.Now()
	s.Kill()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if closed.Load() {
		t.Error("closed under a running handler")
	}
	close(release)
	eventually(t, "closed once the handler has returned", closed.Load)
}

// callInFlight makes a call that ends with the server, and returns once it is
// being handled.
func callInFlight(t *testing.T, l net.Listener, impl *ledger) {
	t.Helper()
	client := dial(t, "ledger", l.Addr().String())
	inFlight := make(chan error, 1)
	go func() {
		_, err := client.Apply(context.WithoutCancel(t.Context()), &bookv1.ApplyRequest{})
		inFlight <- err
	}()
	t.Cleanup(func() {
		if err := <-inFlight; status.Code(err) != codes.Aborted {
			t.Errorf("call cut off: got %v, want Aborted", err)
		}
	})
	eventually(t, "a call is in flight", func() bool { return impl.executed.Load() == 1 })
}
