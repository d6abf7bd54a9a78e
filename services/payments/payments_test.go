package payments

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is never waited out.
const patience = 10 * time.Second

// ledger answers as the test says, and keeps what it was asked.
type ledger struct {
	bankv1.UnimplementedLedgerServiceServer
	refusal bankv1.Refusal
	err     error

	asked *bankv1.PostRequest
	keys  []string
}

func (l *ledger) Post(ctx context.Context, req *bankv1.PostRequest) (*bankv1.PostResponse, error) {
	l.asked, l.keys = req, metadata.ValueFromIncomingContext(ctx, rpc.KeyMetadata)
	return &bankv1.PostResponse{Refusal: l.refusal}, l.err
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start runs a payments whose router leads to l, or to nobody when l is nil,
// and returns a client of it.
func start(t *testing.T, l *ledger) bankv1.PaymentsServiceClient {
	t.Helper()
	var served sync.WaitGroup
	router := listen(t)
	ledgers := grpc.NewServer()
	if l == nil {
		router.Close()
	} else {
		bankv1.RegisterLedgerServiceServer(ledgers, l)
		served.Go(func() {
			if err := ledgers.Serve(router); err != nil {
				t.Error(err)
			}
		})
	}
	toLedger := rpc.NewDialer(rpc.DialerConfig{RouterAddr: router.Addr().String(), Service: "payments", Instance: "payments-v1-1-a2"})
	own := listen(t)
	payments, err := New(t.Context(), node.Env{
		Service: "payments", Instance: "payments-v1-1-a2", Listener: own, Dialer: toLedger, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	served.Go(func() {
		if err := payments.Serve(); err != nil {
			t.Error(err)
		}
	})
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: own.Addr().String(), Service: "test", Instance: "test"})
	t.Cleanup(func() {
		for _, d := range []*rpc.Dialer{dialer, toLedger} {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		payments.Kill()
		ledgers.Stop()
		served.Wait()
	})
	conn, err := dialer.Dial(t.Context(), "payments")
	if err != nil {
		t.Fatal(err)
	}
	return bankv1.NewPaymentsServiceClient(conn)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func out() *bankv1.SendOutRequest {
	return &bankv1.SendOutRequest{
		IdempotencyKey: "k1", FromAccount: "acc-00001", ToSortCode: "04-00-04",
		ToAccountNumber: "1234 5678", AmountMinor: 500, Reference: "Rent",
	}
}

func in() *bankv1.ReceiveInRequest {
	return &bankv1.ReceiveInRequest{IdempotencyKey: "k1", ToAccount: "acc-00001", AmountMinor: 500, Reference: "Salary"}
}

func TestTransfersArePostings(t *testing.T) {
	l := &ledger{}
	c := start(t, l)
	check := func(want *bankv1.PostRequest) {
		t.Helper()
		if !proto.Equal(l.asked, want) {
			t.Errorf("the ledger was asked %v, want %v", l.asked, want)
		}
		if len(l.keys) != 1 || l.keys[0] != "k1" {
			t.Errorf("key on the wire: %q", l.keys)
		}
	}
	if _, err := c.SendOut(within(t), out()); err != nil {
		t.Fatal(err)
	}
	check(&bankv1.PostRequest{
		IdempotencyKey: "k1", FromAccount: "acc-00001", ToAccount: "bank:fps",
		AmountMinor: 500, Reference: "Rent to 04-00-04 12345678",
	})
	if _, err := c.ReceiveIn(within(t), in()); err != nil {
		t.Fatal(err)
	}
	check(&bankv1.PostRequest{
		IdempotencyKey: "k1", FromAccount: "bank:fps", ToAccount: "acc-00001",
		AmountMinor: 500, Reference: "Salary",
	})
}

func TestRefusalsPassUp(t *testing.T) {
	for refusal := range bankv1.Refusal_name {
		want := bankv1.Refusal(refusal)
		c := start(t, &ledger{refusal: want})
		if got, err := c.SendOut(within(t), out()); err != nil || got.GetRefusal() != want {
			t.Errorf("out: %v, %v, want %v", got, err, want)
		}
		if got, err := c.ReceiveIn(within(t), in()); err != nil || got.GetRefusal() != want {
			t.Errorf("in: %v, %v, want %v", got, err, want)
		}
	}
}

// The bank's own accounts exist in the book without being opened, so the book
// would not refuse them.
func TestTheBanksOwnAccountsAreNobodys(t *testing.T) {
	l := &ledger{}
	c := start(t, l)
	send, receive := out(), in()
	send.FromAccount, receive.ToAccount = "bank:opening", "bank:scheme"
	const want = bankv1.Refusal_REFUSAL_NO_SUCH_ACCOUNT
	if got, err := c.SendOut(within(t), send); err != nil || got.GetRefusal() != want {
		t.Errorf("out: %v, %v", got, err)
	}
	if got, err := c.ReceiveIn(within(t), receive); err != nil || got.GetRefusal() != want {
		t.Errorf("in: %v, %v", got, err)
	}
	if l.asked != nil {
		t.Errorf("the ledger was asked %v", l.asked)
	}
}

func TestCodesPassUp(t *testing.T) {
	for _, want := range []codes.Code{codes.Unavailable, codes.Aborted, codes.AlreadyExists, codes.InvalidArgument, codes.Internal} {
		c := start(t, &ledger{err: status.Error(want, "so it is")})
		if _, err := c.SendOut(within(t), out()); status.Code(err) != want {
			t.Errorf("out: %v, want %v", err, want)
		}
		if _, err := c.ReceiveIn(within(t), in()); status.Code(err) != want {
			t.Errorf("in: %v, want %v", err, want)
		}
	}
	if _, err := start(t, nil).SendOut(within(t), out()); status.Code(err) != codes.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	l := &ledger{}
	c := start(t, l)
	for name, spoil := range map[string]func(*bankv1.SendOutRequest){
		"no key":                func(r *bankv1.SendOutRequest) { r.IdempotencyKey = "" },
		"no account":            func(r *bankv1.SendOutRequest) { r.FromAccount = "" },
		"nothing":               func(r *bankv1.SendOutRequest) { r.AmountMinor = 0 },
		"less than nothing":     func(r *bankv1.SendOutRequest) { r.AmountMinor = -1 },
		"short sort code":       func(r *bankv1.SendOutRequest) { r.ToSortCode = "04-00-0" },
		"letters":               func(r *bankv1.SendOutRequest) { r.ToSortCode = "O4-OO-O4" },
		"long account number":   func(r *bankv1.SendOutRequest) { r.ToAccountNumber = "123456789" },
		"an essay as reference": func(r *bankv1.SendOutRequest) { r.Reference = strings.Repeat("a", maxReference+1) },
	} {
		req := out()
		spoil(req)
		if _, err := c.SendOut(within(t), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.asked != nil {
		t.Errorf("the ledger was asked %v", l.asked)
	}
}
