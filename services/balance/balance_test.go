package balance

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
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is never waited out.
const patience = 10 * time.Second

// ledger knows one account.
type ledger struct {
	bankv1.UnimplementedLedgerServiceServer
	marked []string
}

func (l *ledger) GetBalance(ctx context.Context, req *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
	l.marked = metadata.ValueFromIncomingContext(ctx, rpc.ReadMetadata)
	if req.GetAccount() != "acc-00001" {
		return nil, status.Error(codes.NotFound, "no such account")
	}
	return &bankv1.GetBalanceResponse{BalanceMinor: 5_00, AvailableMinor: 3_00}, nil
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheLedgerAnswers(t *testing.T) {
	router, own := listen(t), listen(t)
	l := &ledger{}
	ledgers := grpc.NewServer()
	bankv1.RegisterLedgerServiceServer(ledgers, l)
	toLedger := rpc.NewDialer(rpc.DialerConfig{RouterAddr: router.Addr().String(), Service: "balance", Instance: "balance-v1-1-a2"})
	balance, err := New(t.Context(), node.Env{
		Service: "balance", Instance: "balance-v1-1-a2", Listener: own, Dialer: toLedger, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: own.Addr().String(), Service: "test", Instance: "test"})
	var served sync.WaitGroup
	for _, serve := range []func() error{balance.Serve, func() error { return ledgers.Serve(router) }} {
		served.Go(func() {
			if err := serve(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		for _, d := range []*rpc.Dialer{dialer, toLedger} {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		balance.Kill()
		ledgers.Stop()
		served.Wait()
	})
	conn, err := dialer.Dial(t.Context(), "balance")
	if err != nil {
		t.Fatal(err)
	}
	c := bankv1.NewBalanceServiceClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	got, err := c.GetBalance(ctx, &bankv1.GetBalanceRequest{Account: "acc-00001"})
	if err != nil || got.GetBalanceMinor() != 5_00 || got.GetAvailableMinor() != 3_00 {
		t.Errorf("got %v, %v", got, err)
	}
	if len(l.marked) != 1 {
		t.Error("the read is not marked as one, so that a lost one is not repeated")
	}
	if _, err := c.GetBalance(ctx, &bankv1.GetBalanceRequest{Account: "acc-99999"}); status.Code(err) != codes.NotFound {
		t.Errorf("no such account: %v", err)
	}
	if _, err := c.GetBalance(ctx, &bankv1.GetBalanceRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no account: %v", err)
	}

	ledgers.Stop()
	_, err = c.GetBalance(ctx, &bankv1.GetBalanceRequest{Account: "acc-00001"})
	if status.Code(err) == codes.Aborted {
		// It went out on the connection that was just being closed, so nobody
		// can say that it was not executed. The next one finds no connection.
		_, err = c.GetBalance(ctx, &bankv1.GetBalanceRequest{Account: "acc-00001"})
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
}
