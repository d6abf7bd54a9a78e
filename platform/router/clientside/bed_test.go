package clientside

import (
	"context"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/ports"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
	"breakbank/platform/rpc"
	bookv1 "breakbank/proto/book/v1"
)

// patience is far longer than anything here takes.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	Register()
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// bed is a node without a proxy: instances of ledger, and one of cardauth that
// calls them.
type bed struct {
	t      *testing.T
	truth  *feed.Truth
	plane  *Plane
	caller *Caller
	dialer *rpc.Dialer
	client bookv1.BookServiceClient
}

// fed is a configuration whose table is the truth.
const fed = `
dataplane: client-side
discovery: oracle
strategy: round-robin
retries: {kind: budget}
`

func newBed(t *testing.T, o Options) *bed {
	t.Helper()
	b := &bed{t: t, truth: &feed.Truth{}}
	o.Node, o.Zone, o.Seed, o.Truth, o.Log = "a1", "a", 1, b.truth, slog.New(slog.DiscardHandler)
	plane, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.plane = plane
	b.caller = plane.Caller("cardauth", "cardauth-1", o.Log)
	b.dialer = rpc.NewDialer(rpc.DialerConfig{Service: "cardauth", Instance: "cardauth-1", Plane: b.caller})
	t.Cleanup(func() {
		b.caller.Close()
		if err := b.dialer.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := b.dialer.Dial(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	b.client = bookv1.NewBookServiceClient(conn)
	return b
}

// start makes an incarnation, which ends with the test.
func (b *bed) start(config string) *Incarnation {
	b.t.Helper()
	i, err := b.plane.Start([]byte(config), listen(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(i.Kill)
	return i
}

// apply makes a call and says how it went, and where.
func (b *bed) apply(ctx context.Context) (rpc.Provenance, error) {
	ctx, collector := rpc.WithProvenance(ctx)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := b.client.Apply(ctx, &bookv1.ApplyRequest{})
	return collector.Provenance(), err
}

// eventually waits until something holds.
func (b *bed) eventually(what string, holds func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			b.t.Fatalf("not after %v: %s", patience, what)
		case <-poll.C:
		}
	}
}

// ledger is an instance with a server of its own.
type ledger struct {
	bookv1.UnimplementedBookServiceServer
	name, addr string
	server     *rpc.Server
	executed   atomic.Int64
	// answer, if set, is what the instance does about a call.
	answer func(context.Context) error
}

// serve starts an instance, whose server goes by another name where meant says
// so, and tells the truth of it.
func (b *bed) serve(name string, answer func(context.Context) error) *ledger {
	b.t.Helper()
	l := b.listen(name, name, answer)
	b.truth.Serves("ledger", l.endpoint())
	return l
}

func (b *bed) listen(name, really string, answer func(context.Context) error) *ledger {
	b.t.Helper()
	at := listen(b.t)
	l := &ledger{name: name, addr: at.Addr().String(), answer: answer}
	l.server = rpc.NewServer(rpc.ServerConfig{Service: "ledger", Instance: really, Listener: at, DrainFor: time.Millisecond})
	bookv1.RegisterBookServiceServer(l.server.Registrar(), l)
	served := make(chan error, 1)
	go func() { served <- l.server.Serve() }()
	b.t.Cleanup(func() {
		l.server.Kill()
		if err := <-served; err != nil {
			b.t.Error(err)
		}
	})
	return l
}

func (l *ledger) endpoint() discovery.Endpoint {
	return discovery.Endpoint{Addr: l.addr, Instance: l.name}
}

func (l *ledger) Apply(ctx context.Context, _ *bookv1.ApplyRequest) (*bookv1.ApplyResponse, error) {
	l.executed.Add(1)
	if l.answer != nil {
		if err := l.answer(ctx); err != nil {
			return nil, err
		}
	}
	return &bookv1.ApplyResponse{}, nil
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	address, err := ports.New().Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
