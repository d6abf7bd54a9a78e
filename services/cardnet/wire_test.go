package cardnet

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"breakbank/platform/node"
	"breakbank/platform/node/nodetest"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wired is a cardauth on the wire that is slow when told.
type wired struct {
	bankv1.UnimplementedCardAuthServiceServer
	asked    chan context.Context // if any, is told of each authorisation that comes
	slow     chan struct{}        // nil: answers at once; else only when closed
	approved chan string
	reversed chan string
}

func (w *wired) Authorise(ctx context.Context, req *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	if w.asked != nil {
		w.asked <- ctx
	}
	if w.slow != nil {
		<-w.slow // as one that has committed: deaf to its caller
	}
	w.approved <- req.GetIdempotencyKey()
	return &bankv1.AuthoriseResponse{ResponseCode: bank.Approved, DecidedBy: cardauthName}, nil
}

func (w *wired) Reverse(_ context.Context, req *bankv1.ReverseRequest) (*bankv1.ReverseResponse, error) {
	w.reversed <- req.GetIdempotencyKey()
	return &bankv1.ReverseResponse{ResponseCode: bank.Approved}, nil
}

// wiredStandIn approves everything.
type wiredStandIn struct {
	bankv1.UnimplementedStandInServiceServer
}

func (wiredStandIn) Authorise(ctx context.Context, _ *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	rpc.MarkFallback(ctx)
	return &bankv1.AuthoriseResponse{ResponseCode: bank.Approved, DecidedBy: standInName}, nil
}

// newWired is a cardnet on the wire between a cardauth and a stand-in at its
// fixed address. The only service behind the "router" is cardauth: its address
// will do.
func newWired(t *testing.T, primary *wired) (bankv1.CardNetServiceClient, node.Instance) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	serveAs := func(service string, register func(grpc.ServiceRegistrar)) string {
		listener := nodetest.Listen(t)
		server := rpc.NewServer(rpc.ServerConfig{Service: service, Instance: service + "-1", Listener: listener, Log: log})
		register(server.Registrar())
		nodetest.Serve(t, server)
		return listener.Addr().String()
	}
	router := serveAs(cardauthName, func(r grpc.ServiceRegistrar) { bankv1.RegisterCardAuthServiceServer(r, primary) })
	standIn := serveAs(standInName, func(r grpc.ServiceRegistrar) { bankv1.RegisterStandInServiceServer(r, wiredStandIn{}) })
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: router, Service: serviceName, Instance: "cardnet-1", Log: log})
	client := rpc.NewDialer(rpc.DialerConfig{Service: "test", Log: log})
	t.Cleanup(func() {
		for _, d := range []*rpc.Dialer{dialer, client} {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	listener := nodetest.Listen(t)
	instance, err := New(t.Context(), node.Env{
		Service: serviceName, Instance: "cardnet-1", Listener: listener, Dialer: dialer,
		StandinAddr: standIn, Fallback: "independent", FallbackOn: true, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Serve(t, instance)
	conn, err := client.DialFixed(t.Context(), serviceName, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return bankv1.NewCardNetServiceClient(conn), instance
}

func TestOnTheWire(t *testing.T) {
	primary := &wired{approved: make(chan string, 1), reversed: make(chan string, 1)}
	cardnet, _ := newWired(t, primary)
	var trailer metadata.MD
	got, err := cardnet.Authorise(t.Context(), payment("k", false), grpc.Trailer(&trailer))
	if err != nil || got.GetResponseCode() != bank.Approved || got.GetDecidedBy() != cardauthName {
		t.Errorf("%v, %v", got, err)
	}
	if route := rpc.ParseProvenance(trailer).Route; route == rpc.RouteFallback {
		t.Error("the primary's answer is marked as a fallback's")
	}
}

func TestSlowPrimaryOnTheWire(t *testing.T) {
	primary := &wired{slow: make(chan struct{}), approved: make(chan string, 1), reversed: make(chan string, 1)}
	cardnet, _ := newWired(t, primary)
	began := time.Now()
	var trailer metadata.MD
	got, err := cardnet.Authorise(t.Context(), payment("k", false), grpc.Trailer(&trailer))
	if err != nil || got.GetResponseCode() != bank.Approved || got.GetDecidedBy() != standInName {
		t.Errorf("%v, %v; want stand-in's approval", got, err)
	}
	if took := time.Since(began); took < primaryBudget || took > patience {
		t.Errorf("took %v, want the primary's %v and not the card network's %v", took, primaryBudget, patience)
	}
	if route := rpc.ParseProvenance(trailer).Route; route != rpc.RouteFallback {
		t.Errorf("route %q, want %q", route, rpc.RouteFallback)
	}
	if key := <-primary.reversed; key != "k" {
		t.Errorf("reversed %q, want the primary's hold", key)
	}
	close(primary.slow)
	<-primary.approved
}

// The card network gives up, then the primary approves: the hold must go, even
// when the instance is being drained meanwhile.
func TestLateApprovalOnTheWire(t *testing.T) {
	primary := &wired{
		asked: make(chan context.Context, 1), slow: make(chan struct{}),
		approved: make(chan string, 1), reversed: make(chan string, 1),
	}
	cardnet, instance := newWired(t, primary)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if got, err := cardnet.Authorise(ctx, payment("k", false)); err == nil {
			t.Errorf("answered %v to nobody", got)
		}
	}()
	// It gives up once the primary has the payment: not before, or there is
	// nothing to approve.
	select {
	case call := <-primary.asked:
		cancel()
		<-answered
		<-call.Done() // The instance has noticed.
	case <-answered:
		t.Fatal("answered before the primary was asked")
	}
	close(primary.slow)
	if key := <-primary.approved; key != "k" {
		t.Fatalf("approved %q", key)
	}
	if err := instance.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case key := <-primary.reversed:
		if key != "k" {
			t.Errorf("reversed %q", key)
		}
	default:
		t.Error("drained without reversing the late approval")
	}
}
