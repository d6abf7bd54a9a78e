package fps

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"breakbank/platform/book"
	"breakbank/platform/events"
	"breakbank/platform/node"
	"breakbank/platform/ports"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is never waited out.
const patience = 20 * time.Second

// world is what the edge needs around it: real NATS, and a payments service
// that posts to a real book, can go away and come back, and misbehaves as the
// test says.
type world struct {
	t     *testing.T
	nats  *events.Server
	dir   string
	store *book.Pebble

	router   string       // Where payments is found.
	payments *grpc.Server // nil while it is away.
	serving  sync.WaitGroup

	// before and after surround each posting; an error is the answer.
	before, after func(context.Context, *bankv1.ReceiveInRequest) error
}

// accounts are the customers' accounts there are.
var accounts = []string{bank.CurrentAccount(1), bank.CurrentAccount(2)}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range accounts {
		_, err := store.Apply(t.Context(), &bookv1.Operation{
			Key: bank.OpenKey(account), Kind: bookv1.OperationKind_OPERATION_KIND_OPEN, DebitAccount: account,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	none := func(context.Context, *bankv1.ReceiveInRequest) error { return nil }
	w := &world{t: t, dir: t.TempDir(), store: store, before: none, after: none}
	w.startNATS()
	if w.router, err = ports.New().Address(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stopPayments()
		w.nats.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) startNATS() {
	w.t.Helper()
	nats, err := events.StartServer(events.ServerConfig{Dir: w.dir})
	if err != nil {
		w.t.Fatal(err)
	}
	w.nats = nats
}

func (w *world) startPayments() {
	w.t.Helper()
	l := listen(w.t, w.router)
	server := grpc.NewServer()
	bankv1.RegisterPaymentsServiceServer(server, &payment{world: w})
	w.payments = server
	w.serving.Go(func() {
		if err := server.Serve(l); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) stopPayments() {
	if w.payments != nil {
		w.payments.Stop()
	}
	w.serving.Wait()
	w.payments = nil
}

// payment is the PaymentsService of a world.
type payment struct {
	bankv1.UnimplementedPaymentsServiceServer
	world *world
}

func (p *payment) ReceiveIn(ctx context.Context, req *bankv1.ReceiveInRequest) (*bankv1.ReceiveInResponse, error) {
	if err := p.world.before(ctx, req); err != nil {
		return nil, err
	}
	// Whatever becomes of the caller, the posting goes through.
	done, err := p.world.store.Apply(context.WithoutCancel(ctx), &bookv1.Operation{
		Key: req.GetIdempotencyKey(), Kind: bookv1.OperationKind_OPERATION_KIND_POST,
		DebitAccount: bank.AccountFPS, CreditAccount: req.GetToAccount(),
		AmountMinor: req.GetAmountMinor(), Reference: req.GetReference(),
	})
	if err != nil {
		return nil, bank.Errorf(bank.Conflict, "post: %w", err)
	}
	if err := p.world.after(ctx, req); err != nil {
		return nil, err
	}
	return &bankv1.ReceiveInResponse{Refusal: bank.RefusalFromBook(done.Refusal)}, nil
}

// edge is an instance under test and a client of it.
type edge struct {
	bankv1.FasterPaymentsServiceClient
	node.Instance
}

// start runs an instance until the test ends.
func (w *world) start(name string) edge {
	w.t.Helper()
	l := listen(w.t, "127.0.0.1:0")
	toPayments := rpc.NewDialer(rpc.DialerConfig{RouterAddr: w.router, Service: "fps", Instance: name})
	instance, err := New(w.t.Context(), node.Env{
		Service: "fps", Instance: name, Listener: l, Dialer: toPayments,
		NATSURL: w.nats.URL(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := instance.Serve(); err != nil {
			w.t.Error(err)
		}
	})
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: l.Addr().String(), Service: "test", Instance: "test"})
	w.t.Cleanup(func() {
		instance.Kill()
		served.Wait()
		for _, d := range []*rpc.Dialer{dialer, toPayments} {
			if err := d.Close(); err != nil {
				w.t.Error(err)
			}
		}
	})
	conn, err := dialer.Dial(w.t.Context(), "fps")
	if err != nil {
		w.t.Fatal(err)
	}
	return edge{bankv1.NewFasterPaymentsServiceClient(conn), instance}
}

// postings counts the postings in the book by key, refused ones left out.
func (w *world) postings() map[string]int {
	w.t.Helper()
	entries, err := w.store.Entries(w.t.Context(), 1, book.MaxEntries)
	if err != nil {
		w.t.Fatal(err)
	}
	count := make(map[string]int)
	for _, e := range entries {
		if e.GetOperation().GetKind() == bookv1.OperationKind_OPERATION_KIND_POST && e.GetRefusal() == bookv1.Refusal_REFUSAL_UNSPECIFIED {
			count[e.GetOperation().GetKey()]++
		}
	}
	return count
}

// balance is what an account has.
func (w *world) balance(account string) int64 {
	w.t.Helper()
	a, err := w.store.Account(w.t.Context(), account)
	if err != nil {
		w.t.Fatal(err)
	}
	return a.GetBalanceMinor()
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// inbound is payment i, of 100+i pence.
func inbound(i int) *bankv1.ReceiveInRequest {
	return &bankv1.ReceiveInRequest{
		IdempotencyKey: fmt.Sprintf("in-%03d", i), ToAccount: accounts[i%len(accounts)],
		AmountMinor: int64(100 + i), Reference: "Salary",
	}
}
