package ledger

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is never waited out.
const patience = 10 * time.Second

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// realBook serves a book with two customers, of £10 each, and returns its
// address.
func realBook(t *testing.T) string {
	t.Helper()
	store, err := book.OpenPebble(t.TempDir(), book.Options{Durability: book.Memory})
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{bank.CurrentAccount(1), bank.CurrentAccount(2)} {
		_, err := store.Apply(t.Context(), &bookv1.Operation{
			Key: bank.OpenKey(account), Kind: bookv1.OperationKind_OPERATION_KIND_OPEN,
			DebitAccount: account, AmountMinor: 10_00, State: bank.StateActive,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	l := listen(t)
	server := book.NewServer(book.ServerConfig{Listener: l, Stores: map[string]book.Store{bank.StoreLedger: store}})
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Kill()
		served.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// start runs a ledger on the book at bookAddr and returns a client of it.
func start(t *testing.T, bookAddr string) bankv1.LedgerServiceClient {
	t.Helper()
	l := listen(t)
	ledger, err := New(t.Context(), node.Env{
		Service: "ledger", Instance: "ledger-v1-1-a2", Listener: l,
		BookAddr: bookAddr, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := ledger.Serve(); err != nil {
			t.Error(err)
		}
	})
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: l.Addr().String(), Service: "test", Instance: "test"})
	t.Cleanup(func() {
		if err := dialer.Close(); err != nil {
			t.Error(err)
		}
		ledger.Kill()
		served.Wait()
	})
	conn, err := dialer.Dial(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	return bankv1.NewLedgerServiceClient(conn)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

const one, two = "acc-00001", "acc-00002"

func TestMoneyMoves(t *testing.T) {
	ctx, c := within(t), start(t, realBook(t))
	balance := func(account string, balanceMinor, availableMinor int64) {
		t.Helper()
		got, err := c.GetBalance(ctx, &bankv1.GetBalanceRequest{Account: account})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetBalanceMinor() != balanceMinor || got.GetAvailableMinor() != availableMinor {
			t.Fatalf("%s has %v, want balance %d, available %d", account, got, balanceMinor, availableMinor)
		}
	}
	type answer interface{ GetRefusal() bankv1.Refusal }
	refusal := func(got answer, err error) bankv1.Refusal {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return got.GetRefusal()
	}
	want := func(got, want bankv1.Refusal) {
		t.Helper()
		if got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	const done = bankv1.Refusal_REFUSAL_UNSPECIFIED

	transfer := &bankv1.PostRequest{IdempotencyKey: "p1", FromAccount: one, ToAccount: two, AmountMinor: 3_00, Reference: "Pizza"}
	for range 2 { // The second time, the first answer again.
		want(refusal(c.Post(ctx, transfer)), done)
		balance(one, 7_00, 7_00)
		balance(two, 13_00, 13_00)
	}
	want(refusal(c.Post(ctx, &bankv1.PostRequest{IdempotencyKey: "p2", FromAccount: one, ToAccount: two, AmountMinor: 7_01})), bankv1.Refusal_REFUSAL_INSUFFICIENT_FUNDS)
	want(refusal(c.Post(ctx, &bankv1.PostRequest{IdempotencyKey: "p3", FromAccount: one, ToAccount: "acc-99999", AmountMinor: 1})), bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT)

	want(refusal(c.Hold(ctx, &bankv1.HoldRequest{IdempotencyKey: "h1", Account: one, AmountMinor: 2_00, Reference: "Tea"})), done)
	balance(one, 7_00, 5_00)
	want(refusal(c.Capture(ctx, &bankv1.CaptureRequest{IdempotencyKey: "c1", HoldKey: "h1", ToAccount: bank.AccountScheme})), done)
	balance(one, 5_00, 5_00)

	want(refusal(c.Hold(ctx, &bankv1.HoldRequest{IdempotencyKey: "h2", Account: one, AmountMinor: 2_00})), done)
	want(refusal(c.Release(ctx, &bankv1.ReleaseRequest{IdempotencyKey: bank.ReversalKey("h2"), HoldKey: "h2", Account: one})), done)
	balance(one, 5_00, 5_00)

	// A reversal that overtakes its payment.
	want(refusal(c.Release(ctx, &bankv1.ReleaseRequest{IdempotencyKey: bank.ReversalKey("h3"), HoldKey: "h3", Account: one})), done)
	want(refusal(c.Hold(ctx, &bankv1.HoldRequest{IdempotencyKey: "h3", Account: one, AmountMinor: 1})), bankv1.Refusal_REFUSAL_RELEASED)
	want(refusal(c.Capture(ctx, &bankv1.CaptureRequest{IdempotencyKey: "c3", HoldKey: "h3", ToAccount: bank.AccountScheme})), bankv1.Refusal_REFUSAL_RELEASED)
	balance(one, 5_00, 5_00)

	// Stand-in approved more than there is: it is applied, and once.
	advice := &bankv1.ApplyAdviceRequest{IdempotencyKey: bank.AdviceKey("h4"), Account: one, AmountMinor: 8_00, ResponseCode: bank.Approved}
	for _, first := range []bool{true, false} {
		got, err := c.ApplyAdvice(ctx, advice)
		if err != nil || got.GetApplied() != first {
			t.Fatalf("advice: %v, %v", got, err)
		}
		balance(one, 5_00, -3_00)
	}
}

// The code says whether the operation may have been executed, so each kind of
// trouble has its own.
func TestCodes(t *testing.T) {
	post := &bankv1.PostRequest{IdempotencyKey: "p1", FromAccount: one, ToAccount: two, AmountMinor: 1}
	for _, c := range []struct {
		name string
		book func(*testing.T) string
		call func(context.Context, bankv1.LedgerServiceClient) error
		want codes.Code
	}{
		{"book cannot be reached", nobody, callPost(post), codes.Unavailable},
		{"book dies with the request", dying, callPost(post), codes.Aborted},
		{"book never answers", silent, callPost(post), codes.DeadlineExceeded},
		{"nothing to move", realBook, callPost(&bankv1.PostRequest{IdempotencyKey: "p1", FromAccount: one, ToAccount: two}), codes.InvalidArgument},
		{"no key", realBook, callPost(&bankv1.PostRequest{FromAccount: one, ToAccount: two, AmountMinor: 1}), codes.InvalidArgument},
		{"key used for something else", realBook, func(ctx context.Context, c bankv1.LedgerServiceClient) error {
			if err := callPost(post)(ctx, c); err != nil {
				return err
			}
			return callPost(&bankv1.PostRequest{IdempotencyKey: "p1", FromAccount: one, ToAccount: two, AmountMinor: 2})(ctx, c)
		}, codes.AlreadyExists},
		{"no such account", realBook, func(ctx context.Context, c bankv1.LedgerServiceClient) error {
			_, err := c.GetBalance(ctx, &bankv1.GetBalanceRequest{Account: "acc-99999"})
			return err
		}, codes.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := start(t, c.book(t))
			ctx := within(t)
			if c.want == codes.DeadlineExceeded {
				// Both connections are made in this time as well.
				short, cancel := context.WithTimeout(ctx, 2*time.Second)
				defer cancel()
				ctx = short
			}
			if err := c.call(ctx, client); status.Code(err) != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func callPost(req *bankv1.PostRequest) func(context.Context, bankv1.LedgerServiceClient) error {
	return func(ctx context.Context, c bankv1.LedgerServiceClient) error {
		_, err := c.Post(ctx, req)
		return err
	}
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	l := listen(t)
	defer l.Close()
	return l.Addr().String()
}

// dying is a book whose process ends when the first operation arrives.
func dying(t *testing.T) string {
	return badBook(t, func(server *grpc.Server) { go server.Stop() })
}

// silent is a book that takes operations and says nothing.
func silent(t *testing.T) string { return badBook(t, func(*grpc.Server) {}) }

func badBook(t *testing.T, then func(*grpc.Server)) string {
	t.Helper()
	l := listen(t)
	server := grpc.NewServer()
	bookv1.RegisterBookServiceServer(server, &unanswering{then: func() { then(server) }})
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		served.Wait()
	})
	return l.Addr().String()
}

// unanswering takes operations and does not answer.
type unanswering struct {
	bookv1.UnimplementedBookServiceServer
	then func()
}

func (u *unanswering) Apply(ctx context.Context, _ *bookv1.ApplyRequest) (*bookv1.ApplyResponse, error) {
	u.then()
	<-ctx.Done()
	return nil, ctx.Err()
}
