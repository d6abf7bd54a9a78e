package clientside

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
	bookv1 "breakbank/proto/book/v1"
)

func TestACallSaysWhereItWent(t *testing.T) {
	b := newBed(t, Options{})
	l := b.serve("ledger-1", nil)
	i := b.start(fed)
	var trailer metadata.MD
	if _, err := b.client.Apply(t.Context(), &bookv1.ApplyRequest{}, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if got := trailer.Get(rpc.InstanceTrailer); len(got) != 1 || got[0] != "ledger-1" {
		t.Errorf("answered by %q, want ledger-1", got)
	}
	if got := rpc.ParseProvenance(trailer); got.Route != rpc.RouteLive || got.Attempts != 1 {
		t.Errorf("provenance %+v, want live and one attempt", got)
	}
	if went, err := b.apply(t.Context()); err != nil || went.Route != rpc.RouteLive || went.Attempts != 1 {
		t.Errorf("the collector has %+v, %v", went, err)
	}
	s := i.Status()
	if s.Requests != 2 || s.Attempts != 2 || !s.Synced || s.Table["ledger"][0] != l.addr {
		t.Errorf("status %+v", s)
	}
}

func TestCallsAreSpreadAndFollowTheTable(t *testing.T) {
	b := newBed(t, Options{})
	one, two := b.serve("ledger-1", nil), b.serve("ledger-2", nil)
	b.start(fed)
	b.eventually("both are called", func() bool {
		if _, err := b.apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		return one.executed.Load() > 2 && two.executed.Load() > 2
	})
	b.truth.Ends("ledger", one.endpoint())
	before := int64(-1)
	b.eventually("the one that has left is called no more", func() bool {
		before = one.executed.Load()
		for range 10 {
			if _, err := b.apply(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return one.executed.Load() == before
	})
}

// TestZoneAwareStaysAtHome: instances of the caller's own zone are called, once
// enough of all are connected for it to matter.
func TestZoneAwareStaysAtHome(t *testing.T) {
	b := newBed(t, Options{})
	var abroad []*ledger
	for i := range 6 {
		l := b.listen(fmt.Sprintf("ledger-%d", i), fmt.Sprintf("ledger-%d", i), nil)
		at := l.endpoint()
		if at.Zone = "a"; i%2 == 1 {
			at.Zone, abroad = "b", append(abroad, l)
		}
		b.truth.Serves("ledger", at)
	}
	b.start(strings.Replace(fed, "round-robin", "zone-aware", 1))
	b.eventually("nobody goes to the other zone", func() bool {
		count := func() (calls int64) {
			for _, l := range abroad {
				calls += l.executed.Load()
			}
			return calls
		}
		before := count()
		for range 30 { // by chance they would all stay once in 2^30
			if _, err := b.apply(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return count() == before
	})
}

// TestADeadAddressCostsNothing: an address that takes no connection is passed
// over, whatever the table says.
func TestADeadAddressCostsNothing(t *testing.T) {
	b := newBed(t, Options{})
	b.truth.Serves("ledger", discovery.Endpoint{Addr: closedPort(t), Instance: "ledger-0"})
	b.serve("ledger-1", nil)
	b.start(fed)
	for range 20 {
		if went, err := b.apply(t.Context()); err != nil || went.Attempts != 1 {
			t.Fatalf("%+v, %v", went, err)
		}
	}
}

func TestNobodyThereIsUnavailable(t *testing.T) {
	for name, table := range map[string]func(*bed){
		"no such name": func(b *bed) { b.start(fed) },
		"nobody listens": func(b *bed) {
			b.truth.Serves("ledger", discovery.Endpoint{Addr: closedPort(b.t)})
			b.start(fed)
		},
		"an empty service": func(b *bed) {
			b.truth.Ends("ledger", b.serve("ledger-1", nil).endpoint())
			b.start(fed)
		},
		"the plane is down": func(*bed) {},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, Options{})
			table(b)
			began := time.Now()
			_, err := b.apply(rpc.WithKey(t.Context(), "k"))
			if status.Code(err) != codes.Unavailable {
				t.Errorf("got %v, want Unavailable", err)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("gave up after %v", took)
			}
		})
	}
}

// TestAReusedAddressExecutesNothing: who is not the instance that the table
// names turns the call away, and it goes elsewhere.
func TestAReusedAddressExecutesNothing(t *testing.T) {
	b := newBed(t, Options{})
	stranger := b.listen("ledger-1", "ledger-9", nil)
	b.truth.Serves("ledger", stranger.endpoint())
	right := b.serve("ledger-2", nil)
	b.start(fed)
	b.eventually("the stranger has turned a call away", func() bool {
		if _, err := b.apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		return stranger.server.Refused() > 0
	})
	if n := stranger.executed.Load(); n != 0 {
		t.Errorf("the stranger executed %d calls", n)
	}
	if right.executed.Load() == 0 {
		t.Error("nobody executed the calls")
	}
}

// TestALostCall: what may have been executed is repeated only with the
// caller's word, and its failure says so.
func TestALostCall(t *testing.T) {
	for _, test := range []struct {
		name string
		ctx  func(context.Context) context.Context
		want codes.Code
	}{
		{"without a key the outcome is unknown", func(ctx context.Context) context.Context { return ctx }, codes.Aborted},
		{"with a key it is repeated elsewhere", func(ctx context.Context) context.Context { return rpc.WithKey(ctx, "k") }, codes.OK},
		{"a read is repeated elsewhere", rpc.Read, codes.OK},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBed(t, Options{})
			var dying *ledger
			dying = b.listen("ledger-1", "ledger-1", func(ctx context.Context) error {
				go dying.server.Kill()
				<-ctx.Done()
				return ctx.Err()
			})
			b.truth.Serves("ledger", dying.endpoint())
			second := b.serve("ledger-2", nil)
			b.start(fed)
			b.eventually("a call has met the one that dies", func() bool {
				_, err := b.apply(test.ctx(t.Context()))
				if dying.executed.Load() == 0 {
					return false
				}
				if status.Code(err) != test.want {
					t.Errorf("got %v, want %v", err, test.want)
				}
				return true
			})
			if test.want == codes.OK && second.executed.Load() == 0 {
				t.Error("it was not repeated elsewhere")
			}
		})
	}
}

func TestAStatusOfTheServerPassesThrough(t *testing.T) {
	b := newBed(t, Options{})
	b.serve("ledger-1", func(context.Context) error { return status.Error(codes.NotFound, "as it is") })
	b.start(fed)
	_, err := b.apply(rpc.WithKey(t.Context(), "k"))
	if got := status.Convert(err); got.Code() != codes.NotFound || got.Message() != "as it is" {
		t.Errorf("got %v", err)
	}
}

func TestStreams(t *testing.T) {
	b := newBed(t, Options{})
	l := b.serve("ledger-1", nil)
	b.start(fed)
	conn, err := b.dialer.Dial(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	ctx, collector := rpc.WithProvenance(t.Context())
	watch, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{Service: "ledger"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	l.server.Kill()
	if _, err := watch.Recv(); status.Code(err) != codes.Aborted {
		t.Errorf("lost stream: got %v, want Aborted", err)
	}
	if went := collector.Provenance(); went.Attempts != 1 || went.Route != rpc.RouteLive {
		t.Errorf("provenance %+v", went)
	}
}

// TestRestart: without its library an instance reaches nobody; a new one finds
// everybody again on the channels that there are.
func TestRestart(t *testing.T) {
	b := newBed(t, Options{})
	b.serve("ledger-1", nil)
	first := b.start(fed)
	if _, err := b.apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Kill()
	if _, err := b.apply(t.Context()); status.Code(err) != codes.Unavailable {
		t.Errorf("while down: got %v, want Unavailable", err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := b.apply(t.Context())
		answered <- err
	}()
	second := b.start(fed)
	if err := <-answered; err != nil {
		t.Errorf("a call that waited for it: %v", err)
	}
	if n := second.Status().Requests; n != 1 {
		t.Errorf("the new one has taken %d requests, want 1", n)
	}
}

// TestMakeBeforeBreak: one that is ready takes over, and no call notices.
func TestMakeBeforeBreak(t *testing.T) {
	b := newBed(t, Options{})
	b.serve("ledger-1", nil)
	first := b.start(fed)
	if _, err := b.apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	calls := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := b.apply(context.WithoutCancel(ctx)); err != nil {
				calls <- err
				return
			}
		}
		calls <- nil
	}()
	second := b.start(fed)
	select {
	case <-second.Ready():
	case <-time.After(patience):
		t.Fatal("the second is not ready")
	}
	if err := first.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	b.eventually("the second takes the calls", func() bool { return second.Status().Requests > 10 })
	stop()
	if err := <-calls; err != nil {
		t.Errorf("a call failed meanwhile: %v", err)
	}
}

func TestRefusedConfigurations(t *testing.T) {
	b := newBed(t, Options{})
	for config, want := range map[string]string{
		"dataplane: frames": "cannot have dataplane frames",
		"dataplane: client-side\ndiscovery: etcd-naming\nstrategy: round-robin": "cannot have etcd-naming",
		"dataplane: client-side\nstrategy: prequal":                             "has no probes",
		"dataplane: client-side\npolicies: [gossip]":                            "has no routers",
		"dataplane: client-side\noverlays: {slow_start: {}}":                    "has no overlays",
	} {
		l := listen(t)
		_, err := b.plane.Start([]byte(config), l)
		l.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", config, err, want)
		}
	}
}
