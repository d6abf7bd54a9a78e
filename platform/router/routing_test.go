package router

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/ports"
	"breakbank/platform/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadAddr is an address where nobody listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	addr, err := ports.New().Address()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// A dead address costs a request nothing but the way to the next one, and no
// retry budget: here there is none.
func TestUnreachableGoesOnToTheNext(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-3")
	registry.set("echo", instance{"echo-1", deadAddr(t)}, instance{"echo-2", deadAddr(t)}, b.instance())
	r, addr := startRouter(t, registry, "{strategy: round-robin, retries: {kind: none}, overlays: {fail_fast: {min: 1m, max: 1m}}}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	for range 10 {
		out, err := c.UnaryCall(t.Context(), ask("x"))
		if err != nil || out.GetUsername() != "echo-3" {
			t.Fatalf("answered by %q, %v", out.GetUsername(), err)
		}
	}
	// Each dead address was dialled once, and is skipped after that.
	if got := r.attempts.Load(); got > 12 {
		t.Errorf("%d attempts for 10 requests", got)
	}
}

func TestAllUnreachableFailsFast(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", instance{"echo-1", deadAddr(t)}, instance{"echo-2", deadAddr(t)})
	r, addr := startRouter(t, registry, "{strategy: p2c-ewma, parser: linkerd-2017, policies: [keep-last]}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	began := time.Now()
	var trailer metadata.MD
	_, err := c.UnaryCall(t.Context(), ask("x"), grpc.Trailer(&trailer))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("status is %v", err)
	}
	if took := time.Since(began); took > connectTimeout*8/10 {
		t.Errorf("failed after %v", took)
	}
	if got := trailer.Get(rpc.AttemptsTrailer); len(got) != 1 || got[0] != "2" {
		t.Errorf("attempts %q", got)
	}
}

// With a policy that can find a better table a request waits for it.
func TestWaitsForABetterTable(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", instance{"echo-1", deadAddr(t)})
	r, addr := startRouter(t, registry, "{policies: [heartbeat], better_table_wait: 5s}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	b := startBackend(t, "echo-2")
	errs := make(chan error, 1)
	go func() {
		_, err := c.UnaryCall(t.Context(), ask("x"))
		errs <- err
	}()
	eventually(t, "the request waits", func() bool { return r.table.waiting.Load() == 1 })
	registry.set("echo", b.instance())
	if err := <-errs; err != nil {
		t.Error(err)
	}
	// A name that is nowhere is waited for as well, and no longer than stated.
	*r.config.BetterTableWait = 50 * time.Millisecond
	if _, err := dialRouter(t, addr, "nowhere").UnaryCall(t.Context(), ask("x")); status.Code(err) != codes.Unavailable {
		t.Errorf("status is %v", err)
	}
}

// A poisoned router has no table: requests wait for the binding timeout.
func TestPendingNameTimesOut(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	registry.set("echo", b.instance())
	registry.setNull("pots")
	r, addr := startRouter(t, registry, "{parser: linkerd-2017, policies: [keep-last], binding_timeout: 150ms}")
	eventually(t, "poisoned", func() bool { return r.Status().Poisoned })
	c := dialRouter(t, addr, "echo")
	began := time.Now()
	_, err := c.UnaryCall(t.Context(), ask("x"))
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "pending") {
		t.Errorf("status is %v", err)
	}
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("failed after %v", took)
	}
	if s := r.Status(); s.Synced || s.Names != 0 || s.Attempts != 0 {
		t.Errorf("status %+v", s)
	}
	// Mechanism 7: the poison goes, and the router recovers by itself.
	registry.mu.Lock()
	delete(registry.records, "pots")
	registry.mu.Unlock()
	<-r.Ready()
	if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
		t.Error(err)
	}
}

// dieOnCall makes a backend lose its connections while it executes a request.
func dieOnCall(b *backend) {
	b.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		go b.server.Stop()
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestLostRequest(t *testing.T) {
	for _, c := range []struct {
		name     string
		md       []string
		retries  string
		want     codes.Code
		attempts int64
	}{
		{"may not be repeated", nil, "{kind: budget}", codes.Aborted, 1},
		{"has a key", []string{rpc.KeyMetadata, "k"}, "{kind: budget}", codes.OK, 2},
		{"is a read", []string{rpc.ReadMetadata, "1"}, "{kind: naive}", codes.OK, 2},
		{"has a key and no budget", []string{rpc.KeyMetadata, "k"}, "{kind: none}", codes.Aborted, 1},
	} {
		for _, path := range paths {
			t.Run(c.name+"/"+path.name, func(t *testing.T) {
				registry := newRegistryStub(t)
				dying, well := startBackend(t, "echo-1"), startBackend(t, "echo-2")
				dieOnCall(dying)
				registry.set("echo", dying.instance())
				r, addr := startRouterOn(t, registry, path, "{retries: "+c.retries+"}")
				<-r.Ready()
				client := dialRouter(t, addr, "echo")
				inner := dying.unary
				dying.unary = func(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
					registry.set("echo", well.instance())
					eventually(t, "the new table", func() bool {
						return r.Status().Table["echo"][0] == well.addr
					})
					return inner(ctx, in)
				}
				_, err := client.UnaryCall(metadata.AppendToOutgoingContext(t.Context(), c.md...), ask("x"))
				if status.Code(err) != c.want {
					t.Errorf("status is %v, want %v", err, c.want)
				}
				if got := r.attempts.Load(); got != c.attempts {
					t.Errorf("%d attempts, want %d", got, c.attempts)
				}
			})
		}
	}
}

// A stream whose connection breaks after the server has answered something
// has an unknown outcome. grpc reports it as Unavailable.
func TestLostAfterHeaders(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	stream, err := dialRouter(t, addr, "echo").FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	b.server.Stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("status is %v", err)
	}
}

// A key does not make Unavailable out of a request that was lost once: the
// attempt after it was not executed, the first may have been.
func TestLostThenUnreachableIsUnknown(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	dieOnCall(b)
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "retries: {kind: naive}")
	<-r.Ready()
	ctx := metadata.AppendToOutgoingContext(t.Context(), rpc.KeyMetadata, "k")
	if _, err := dialRouter(t, addr, "echo").UnaryCall(ctx, ask("x")); status.Code(err) != codes.Aborted {
		t.Errorf("status is %v", err)
	}
}

// misdeliver is how a server turns away what was not meant for it.
func misdeliver(ctx context.Context) error {
	_ = grpc.SetTrailer(ctx, metadata.Pairs(rpc.RefusedTrailer, rpc.RefusedWrongService))
	return status.Error(codes.Unavailable, "not meant for me")
}

// A server that was not meant says so, and the request goes elsewhere. With
// the policy identity the address is dropped.
func TestMisdelivered(t *testing.T) {
	registry := newRegistryStub(t)
	stranger, b := startBackend(t, "prepaid-1"), startBackend(t, "echo-2")
	stranger.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		return nil, misdeliver(ctx)
	}
	registry.set("echo", instance{"echo-1", stranger.addr}, b.instance())
	r, addr := startRouter(t, registry, "{strategy: round-robin, retries: {kind: none}, policies: [identity]}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	asked := int64(0)
	request := func() {
		asked++
		out, err := c.UnaryCall(t.Context(), ask("x"))
		if err != nil || out.GetUsername() != "echo-2" {
			t.Errorf("request %d was answered by %q, %v", asked, out.GetUsername(), err)
		}
	}
	// Requests in between may still go there, each at most once.
	eventually(t, "the address is dropped", func() bool {
		request()
		table := r.Status().Table["echo"]
		return len(table) == 1 && table[0] == b.addr
	})
	before := stranger.calls.Load()
	if before < 1 || before > asked {
		t.Errorf("%d requests asked the stranger %d times before it was dropped", asked, before)
	}
	for range 4 {
		request()
	}
	if again := stranger.calls.Load() - before; again != 0 {
		t.Errorf("the stranger was asked %d times after it was dropped", again)
	}
}

// An instance that leaves the table finishes what it has; the connection is
// closed after that.
func TestRemovalKeepsRequestsUnderWay(t *testing.T) {
	registry := newRegistryStub(t)
	old, fresh := startBackend(t, "echo-1"), startBackend(t, "echo-2")
	entered, leave := make(chan struct{}), make(chan struct{})
	old.unary = func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		close(entered)
		<-leave
		return &testpb.SimpleResponse{Username: "echo-1"}, nil
	}
	registry.set("echo", old.instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	done := make(chan error, 1)
	go func() {
		_, err := c.UnaryCall(t.Context(), ask("x"))
		done <- err
	}()
	<-entered
	registry.set("echo", fresh.instance())
	eventually(t, "the new table", func() bool { return r.Status().Table["echo"][0] == fresh.addr })
	if out, err := c.UnaryCall(t.Context(), ask("x")); err != nil || out.GetUsername() != "echo-2" {
		t.Errorf("answered by %q, %v", out.GetUsername(), err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A rolling restart under load, with the table following, loses nothing: a
// draining server hands requests back unprocessed, and they go elsewhere.
func TestServerDrainLosesNothing(t *testing.T) {
	registry := newRegistryStub(t)
	a, b := startBackend(t, "echo-1"), startBackend(t, "echo-2")
	registry.set("echo", a.instance(), b.instance())
	r, addr := startRouter(t, registry, "{strategy: round-robin, retries: {kind: none}}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	const callers = 8
	stop, errs := make(chan struct{}), make(chan error, callers)
	for range callers {
		go func() {
			for {
				select {
				case <-stop:
					errs <- nil
					return
				default:
				}
				if _, err := c.UnaryCall(t.Context(), ask("x")); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	eventually(t, "load", func() bool { return a.calls.Load() > 50 && b.calls.Load() > 50 })
	a.server.GracefulStop()
	before := b.calls.Load()
	eventually(t, "the other carries on", func() bool { return b.calls.Load() > before+50 })
	close(stop)
	for range callers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestRouterDrain(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	entered, leave := make(chan struct{}), make(chan struct{})
	b.unary = func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		close(entered)
		<-leave
		return &testpb.SimpleResponse{}, nil
	}
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	c := dialRouter(t, addr, "echo")
	done := make(chan error, 1)
	go func() {
		_, err := c.UnaryCall(t.Context(), ask("x"))
		done <- err
	}()
	<-entered
	drained := make(chan error, 1)
	go func() { drained <- r.Drain(t.Context()) }()
	eventually(t, "no new connection is taken", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(leave)
	if err := <-done; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestKillIsAtOnce(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	entered := make(chan struct{})
	b.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	registry.set("echo", b.instance())
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	done := make(chan error, 1)
	go func() {
		_, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x"))
		done <- err
	}()
	<-entered
	r.Kill()
	if err := <-done; err == nil {
		t.Error("the request survived")
	}
}

// Waiting is bounded: beyond the limit a request fails at once.
func TestTooManyWaiting(t *testing.T) {
	registry := newRegistryStub(t)
	registry.set("echo", instance{"echo-1", deadAddr(t)})
	r, addr := startRouter(t, registry, "{policies: [heartbeat], better_table_wait: 1m}")
	<-r.Ready()
	r.table.waiting.Add(maxWaiting)
	_, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x"))
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), errTooManyWaiting.Error()) {
		t.Errorf("status is %v", err)
	}
	if got := r.table.waiting.Load(); got != maxWaiting {
		t.Errorf("%d wait, want %d", got, maxWaiting)
	}
}
