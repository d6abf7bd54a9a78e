package cardauth

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/node/nodetest"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fault is what the ledger does to a request.
type fault int

const (
	none      fault = iota
	away            // not executed, and the caller is told so
	replyLost       // executed, and the caller is not told
)

// onBook is a ledger on a real book that fails as it is told.
type onBook struct {
	bankv1.UnimplementedLedgerServiceServer
	store book.Store

	mu    sync.Mutex
	fault fault
}

func (l *onBook) set(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

func (l *onBook) apply(ctx context.Context, op *bookv1.Operation) (book.Result, error) {
	l.mu.Lock()
	f := l.fault
	l.mu.Unlock()
	if f == away {
		return book.Result{}, bank.Errorf(bank.Unavailable, "the ledger is away")
	}
	result, err := l.store.Apply(ctx, op)
	if f == replyLost {
		return book.Result{}, bank.Errorf(bank.OutcomeUnknown, "the reply is lost")
	}
	return result, bank.Wrap(err, "apply")
}

func (l *onBook) hold(ctx context.Context, req *bankv1.HoldRequest) (*bankv1.HoldResponse, error) {
	result, err := l.apply(ctx, &bookv1.Operation{
		Key: req.GetIdempotencyKey(), Kind: bookv1.OperationKind_OPERATION_KIND_HOLD,
		DebitAccount: req.GetAccount(), AmountMinor: req.GetAmountMinor(), Reference: req.GetReference(),
	})
	return &bankv1.HoldResponse{Refusal: bank.RefusalFromBook(result.Refusal)}, err
}

func (l *onBook) release(ctx context.Context, req *bankv1.ReleaseRequest) (*bankv1.ReleaseResponse, error) {
	result, err := l.apply(ctx, &bookv1.Operation{
		Key: req.GetIdempotencyKey(), Kind: bookv1.OperationKind_OPERATION_KIND_RELEASE,
		DebitAccount: req.GetAccount(), HoldKey: req.GetHoldKey(),
	})
	return &bankv1.ReleaseResponse{Refusal: bank.RefusalFromBook(result.Refusal)}, err
}

func (l *onBook) advise(ctx context.Context, req *bankv1.ApplyAdviceRequest) (*bankv1.ApplyAdviceResponse, error) {
	result, err := l.apply(ctx, &bookv1.Operation{
		Key: req.GetIdempotencyKey(), Kind: bookv1.OperationKind_OPERATION_KIND_ADVICE,
		DebitAccount: req.GetAccount(), AmountMinor: req.GetAmountMinor(),
		Decision: req.GetResponseCode(), Reference: req.GetReference(),
	})
	return &bankv1.ApplyAdviceResponse{Applied: !result.Replayed}, err
}

func (l *onBook) Hold(ctx context.Context, req *bankv1.HoldRequest) (*bankv1.HoldResponse, error) {
	return l.hold(ctx, req)
}

func (l *onBook) Release(ctx context.Context, req *bankv1.ReleaseRequest) (*bankv1.ReleaseResponse, error) {
	return l.release(ctx, req)
}

func (l *onBook) ApplyAdvice(ctx context.Context, req *bankv1.ApplyAdviceRequest) (*bankv1.ApplyAdviceResponse, error) {
	return l.advise(ctx, req)
}

// direct is the ledger without a wire between.
type direct struct{ *onBook }

func (d direct) Hold(ctx context.Context, req *bankv1.HoldRequest, _ ...grpc.CallOption) (*bankv1.HoldResponse, error) {
	return d.hold(ctx, req)
}

func (d direct) Release(ctx context.Context, req *bankv1.ReleaseRequest, _ ...grpc.CallOption) (*bankv1.ReleaseResponse, error) {
	return d.release(ctx, req)
}

func (d direct) ApplyAdvice(ctx context.Context, req *bankv1.ApplyAdviceRequest, _ ...grpc.CallOption) (*bankv1.ApplyAdviceResponse, error) {
	return d.advise(ctx, req)
}

// customers are enough for any test here: opening all takes its time.
const customers = 1_000

func openStore(t *testing.T, name string) *book.Pebble {
	t.Helper()
	store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := store.Seed(t.Context(), bank.SeedOperations(name)[:customers]); err != nil {
		t.Fatal(err)
	}
	return store
}

// town is a cardauth between a real book and a ledger on it, all over gRPC.
type town struct {
	bankv1.CardAuthServiceClient
	ledger      *onBook
	cards, book *book.Pebble
}

func newTown(t *testing.T) *town {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &town{book: openStore(t, bank.StoreLedger), cards: openStore(t, bank.StoreCards)}

	bookListener := nodetest.Listen(t)
	nodetest.Serve(t, book.NewServer(book.ServerConfig{
		Listener: bookListener, Log: log, Stores: map[string]book.Store{bank.StoreCards: w.cards},
	}))
	w.ledger = &onBook{store: w.book}
	ledgerListener := nodetest.Listen(t)
	ledgerServer := rpc.NewServer(rpc.ServerConfig{Service: ledgerName, Instance: "ledger-1", Listener: ledgerListener, Log: log})
	bankv1.RegisterLedgerServiceServer(ledgerServer.Registrar(), w.ledger)
	nodetest.Serve(t, ledgerServer)

	// The only service behind the "router" is the ledger: its address will do.
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: ledgerListener.Addr().String(), Service: serviceName, Instance: "cardauth-1", Log: log})
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
		Service: serviceName, Instance: "cardauth-1", Listener: listener, Dialer: dialer,
		BookAddr: bookListener.Addr().String(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	nodetest.Serve(t, instance)
	conn, err := client.DialFixed(t.Context(), serviceName, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.CardAuthServiceClient = bankv1.NewCardAuthServiceClient(conn)
	return w
}

// held is what is held of a customer's limit and of its money.
func held(t interface {
	Helper()
	Fatal(...any)
}, cards, ledger book.Store, i int,
) (limitMinor, moneyMinor int64) {
	t.Helper()
	limit, err := cards.Account(context.Background(), bank.LimitAccount(i))
	if err != nil {
		t.Fatal(err)
	}
	account, err := ledger.Account(context.Background(), bank.CurrentAccount(i))
	if err != nil {
		t.Fatal(err)
	}
	return limit.GetHeldMinor(), account.GetHeldMinor()
}

// find is the first customer that is as asked.
func find(t *testing.T, what string, is func(bank.Customer) bool) (int, bank.Customer) {
	t.Helper()
	for i := range customers {
		if c := bank.CustomerAt(i); is(c) {
			return i, c
		}
	}
	t.Fatalf("no customer is %s", what)
	return 0, bank.Customer{}
}

// wealthy customers can pay for any test.
func wealthy(c bank.Customer) bool {
	return c.CardState == bank.StateActive && c.OpeningMinor >= 500_00 && c.DailyLimitMinor >= 500_00
}
