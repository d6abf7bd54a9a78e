// Package cardauth is the current account's own card processor. It knows the
// cards and what each may spend in a day (store cards of the book) and asks
// the ledger, by name, to hold the money.
//
// It keeps nothing in memory between requests: whatever it answers, another
// instance would answer too, and a repetition of a request gets the answer of
// the first.
package cardauth

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

const (
	serviceName = "cardauth"
	ledgerName  = "ledger"
)

// ledger is what is needed of the ledger.
type ledger interface {
	Hold(context.Context, *bankv1.HoldRequest, ...grpc.CallOption) (*bankv1.HoldResponse, error)
	Release(context.Context, *bankv1.ReleaseRequest, ...grpc.CallOption) (*bankv1.ReleaseResponse, error)
	ApplyAdvice(context.Context, *bankv1.ApplyAdviceRequest, ...grpc.CallOption) (*bankv1.ApplyAdviceResponse, error)
}

type service struct {
	bankv1.UnimplementedCardAuthServiceServer
	log    *slog.Logger
	cards  book.Store
	limits limits
	ledger ledger
}

func newService(log *slog.Logger, cards book.Store, ledger ledger) *service {
	return &service{log: log, cards: cards, limits: limits{cards: cards}, ledger: ledger}
}

// New builds an instance that serves once Serve is called. It reaches the book
// at env.BookAddr and the ledger through env.Dialer, which stays the caller's.
func New(ctx context.Context, env node.Env) (node.Instance, error) {
	toLedger, err := env.Dialer.Dial(ctx, ledgerName)
	if err != nil {
		return nil, fmt.Errorf("build %s: dial %s: %w", env.Instance, ledgerName, err)
	}
	cards, err := book.Dial(env.BookAddr, bank.StoreCards)
	if err != nil {
		return nil, fmt.Errorf("build %s: open the book: %w", env.Instance, err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	bankv1.RegisterCardAuthServiceServer(server.Registrar(),
		newService(env.Log, cards, bankv1.NewLedgerServiceClient(toLedger)))
	server.OnClose(func() {
		if err := cards.Close(); err != nil {
			env.Log.Warn("close the book", "error", err)
		}
	})
	return server, nil
}
