package rpc_test

import (
	"context"
	"errors"
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

// tooLong is far above the half second that a call waits for a connection,
// and far below the 20 s that grpc-go would.
const tooLong = 4 * time.Second

func TestACallNeverSentIsUnavailable(t *testing.T) {
	closed := listen(t, "127.0.0.1:0")
	_ = closed.Close()
	// The kernel accepts for a socket that nobody reads from: a router that
	// its node agent has not started yet.
	silent := listen(t, "127.0.0.1:0")
	defer silent.Close()

	for name, addr := range map[string]string{"nobody listens": closed.Addr().String(), "nobody accepts": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, "ledger", addr)
			began := time.Now()
			_, err := client.Apply(rpc.WithKey(t.Context(), "k"), &bookv1.ApplyRequest{})
			if status.Code(err) != codes.Unavailable {
				t.Errorf("got %v, want Unavailable", err)
			}
			if took := time.Since(began); took < 400*time.Millisecond || took > tooLong {
				t.Errorf("gave up after %v, want about 500ms", took)
			}
		})
	}
}

func TestACallOutOfTimeBeforeItIsSentIsUnavailable(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	defer silent.Close()
	client := dial(t, "ledger", silent.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Apply(ctx, &bookv1.ApplyRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, want Unavailable: nothing was sent", err)
	}
}

func TestACallWaitsForARouterThatRestarts(t *testing.T) {
	impl := &ledger{}
	first := listen(t, "127.0.0.1:0")
	addr := first.Addr().String()
	s := serve(t, "ledger", "ledger-1", first, impl)
	client := dial(t, "ledger", addr)
	if _, err := client.Apply(t.Context(), &bookv1.ApplyRequest{}); err != nil {
		t.Fatal(err)
	}

	s.Kill()
	answered := make(chan error, 1)
	go func() {
		// With a key, because it may be sent just before the end is noticed.
		_, err := client.Apply(rpc.WithKey(t.Context(), "k"), &bookv1.ApplyRequest{})
		answered <- err
	}()
	serve(t, "ledger", "ledger-2", listen(t, addr), impl)
	if err := <-answered; err != nil {
		t.Errorf("call during the restart: %v", err)
	}
	if n := impl.executed.Load(); n != 2 {
		t.Errorf("executed %d times, want 2", n)
	}
}

func TestALostConnection(t *testing.T) {
	plain := func(ctx context.Context) context.Context { return ctx }
	keyed := func(ctx context.Context) context.Context { return rpc.WithKey(ctx, "k") }
	tests := []struct {
		name     string
		call     func(context.Context) context.Context
		losses   int64 // how many executions lose their connection
		then     error // what later executions answer
		want     codes.Code
		executed int64
	}{
		{"without a key the outcome is unknown", plain, 1, nil, codes.Aborted, 1},
		{"with a key it is repeated", keyed, 1, nil, codes.OK, 2},
		{"a read is repeated", rpc.Read, 1, nil, codes.OK, 2},
		{"with a key it is repeated once only", keyed, 2, nil, codes.Aborted, 2},
		{"a business no of the second attempt stands", keyed, 1, status.Error(codes.NotFound, "no"), codes.NotFound, 2},
		{"not executed the second time proves nothing of the first", keyed, 1, status.Error(codes.Unavailable, "no route"), codes.Aborted, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			impl := &ledger{}
			l := listen(t, "127.0.0.1:0")
			serve(t, "ledger", "ledger-1", l, impl)
			wire := newLine(t, l.Addr().String())
			impl.apply = func(ctx context.Context, n int64) error {
				if n > test.losses {
					return test.then
				}
				wire.cut()
				<-ctx.Done()
				return ctx.Err()
			}
			client := dial(t, "ledger", wire.Addr().String())
			_, err := client.Apply(test.call(t.Context()), &bookv1.ApplyRequest{})
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if n := impl.executed.Load(); n != test.executed {
				t.Errorf("executed %d times, want %d", n, test.executed)
			}
		})
	}
}

func TestAStatusOfTheServerPassesThrough(t *testing.T) {
	for _, code := range []codes.Code{codes.Unavailable, codes.Aborted, codes.Internal, codes.ResourceExhausted, codes.DeadlineExceeded} {
		t.Run(code.String(), func(t *testing.T) {
			impl := &ledger{apply: func(context.Context, int64) error { return status.Error(code, "as it is") }}
			l := listen(t, "127.0.0.1:0")
			serve(t, "ledger", "ledger-1", l, impl)
			_, err := dial(t, "ledger", l.Addr().String()).Apply(rpc.WithKey(t.Context(), "k"), &bookv1.ApplyRequest{})
			if got := status.Convert(err); got.Code() != code || got.Message() != "as it is" {
				t.Errorf("got %v", err)
			}
			if n := impl.executed.Load(); n != 1 {
				t.Errorf("executed %d times, want 1", n)
			}
		})
	}
}

func TestOutOfTimeOrCancelledAfterSendingIsNotRepeated(t *testing.T) {
	impl := &ledger{apply: func(ctx context.Context, n int64) error {
		if n == 1 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	l := listen(t, "127.0.0.1:0")
	serve(t, "ledger", "ledger-1", l, impl)
	client := dial(t, "ledger", l.Addr().String())
	// What is out of time while it waits for a connection was never sent.
	eventually(t, "there is a connection", func() bool {
		_, err := client.Apply(t.Context(), &bookv1.ApplyRequest{})
		return err == nil
	})

	ctx, cancel := context.WithTimeout(rpc.WithKey(t.Context(), "k"), 2*time.Second)
	defer cancel()
	if _, err := client.Apply(ctx, &bookv1.ApplyRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}

	ctx, cancel = context.WithCancel(rpc.WithKey(t.Context(), "k"))
	answered := make(chan error, 1)
	go func() {
		_, err := client.Apply(ctx, &bookv1.ApplyRequest{})
		answered <- err
	}()
	eventually(t, "the cancelled call is executed", func() bool { return impl.executed.Load() == 3 })
	cancel()
	if err := <-answered; status.Code(err) != codes.Canceled {
		t.Errorf("got %v, want Canceled", err)
	}
	if n := impl.executed.Load(); n != 3 {
		t.Errorf("executed %d times, want 3", n)
	}
}

func TestTheKeyTravels(t *testing.T) {
	var keys []string
	impl := &ledger{apply: func(ctx context.Context, _ int64) error {
		keys = append(keys, rpc.Key(ctx))
		if rpc.Key(rpc.WithKey(ctx, "own")) != "own" {
			return errors.New("a key of its own does not replace the one that came")
		}
		return nil
	}}
	l := listen(t, "127.0.0.1:0")
	serve(t, "ledger", "ledger-1", l, impl)
	client := dial(t, "ledger", l.Addr().String())
	for _, ctx := range []context.Context{rpc.WithKey(t.Context(), "a"), t.Context()} {
		if _, err := client.Apply(ctx, &bookv1.ApplyRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 2 || keys[0] != "a" || keys[1] != "" {
		t.Errorf("keys that arrived: %q", keys)
	}
}

func TestStreamsFailInTheSameClasses(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	serve(t, "ledger", "ledger-1", l, &ledger{})
	wire := newLine(t, l.Addr().String())
	d := rpc.NewDialer(rpc.DialerConfig{RouterAddr: wire.Addr().String()})
	defer func() { _ = d.Close() }()
	conn, err := d.Dial(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	watch, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: "ledger"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	_ = wire.Close()
	wire.cut()
	if _, err := watch.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("lost stream: got %v, want Aborted", err)
	}
	if _, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("stream never sent: got %v, want Unavailable", err)
	}
}

func TestClosedDialer(t *testing.T) {
	d := rpc.NewDialer(rpc.DialerConfig{RouterAddr: "127.0.0.1:1"})
	conn, err := d.Dial(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := d.Dial(t.Context(), "ledger"); again != conn {
		t.Error("the second dial made a connection of its own")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Dial(t.Context(), "ledger"); !errors.Is(err, rpc.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	_, err = bookv1.NewBookServiceClient(conn).Apply(t.Context(), &bookv1.ApplyRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("call on a closed channel: got %v, want Unavailable", err)
	}
}

// routed adds the trailers that a router adds for its own hop.
func routed(ctx context.Context, route rpc.Route, ageMs, attempts string) error {
	return grpc.SetTrailer(ctx, metadata.Pairs(
		rpc.RouteTrailer, string(route), rpc.RouteAgeTrailer, ageMs, rpc.AttemptsTrailer, attempts))
}

func TestProvenanceIsMergedOverTwoHops(t *testing.T) {
	leaf := &ledger{apply: func(ctx context.Context, _ int64) error { return routed(ctx, rpc.RouteSnapshot, "700", "2") }}
	leafAt := listen(t, "127.0.0.1:0")
	serve(t, "ledger", "ledger-1", leafAt, leaf)
	toLeaf := dial(t, "ledger", leafAt.Addr().String())

	mid := &ledger{apply: func(ctx context.Context, _ int64) error {
		if _, err := toLeaf.Apply(ctx, &bookv1.ApplyRequest{}); err != nil {
			return err
		}
		return routed(ctx, rpc.RouteLive, "5", "1")
	}}
	midAt := listen(t, "127.0.0.1:0")
	serve(t, "cardauth", "cardauth-1", midAt, mid)

	ctx, collector := rpc.WithProvenance(t.Context())
	var trailer metadata.MD
	if _, err := dial(t, "cardauth", midAt.Addr().String()).Apply(ctx, &bookv1.ApplyRequest{}, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	want := rpc.Provenance{Route: rpc.RouteSnapshot, Age: 700 * time.Millisecond, Attempts: 3}
	if got := collector.Provenance(); got != want {
		t.Errorf("provenance %+v, want %+v", got, want)
	}
	if got := trailer.Get(rpc.InstanceTrailer); len(got) != 1 || got[0] != "cardauth-1" {
		t.Errorf("answered by %q, want cardauth-1", got)
	}

	fallback := &ledger{apply: func(ctx context.Context, _ int64) error {
		rpc.MarkFallback(ctx)
		return nil
	}}
	standInAt := listen(t, "127.0.0.1:0")
	serve(t, "standin", "standin-1", standInAt, fallback)
	if _, err := dial(t, "standin", standInAt.Addr().String()).Apply(ctx, &bookv1.ApplyRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := collector.Provenance().Route; got != rpc.RouteFallback {
		t.Errorf("route %q after stand-in decided, want fallback", got)
	}
}

func TestParseProvenance(t *testing.T) {
	tests := []struct {
		name    string
		trailer metadata.MD
		want    rpc.Provenance
	}{
		{"nothing", nil, rpc.Provenance{}},
		{
			"several hops", metadata.Pairs(
				"bb-route", "seed", "bb-route", "live", "bb-route-age-ms", "3", "bb-route-age-ms", "9",
				"bb-attempts", "1", "bb-attempts", "4"),
			rpc.Provenance{Route: rpc.RouteSeed, Age: 9 * time.Millisecond, Attempts: 5},
		},
		{"nonsense", metadata.Pairs("bb-route", "teleport", "bb-route-age-ms", "old", "bb-attempts", "many"), rpc.Provenance{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := rpc.ParseProvenance(test.trailer)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if again := rpc.ParseProvenance(got.Metadata()); again != got {
				t.Errorf("written and read again: %+v", again)
			}
		})
	}
}
