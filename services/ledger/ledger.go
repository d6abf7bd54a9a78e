// Package ledger is the service that moves money between current accounts. It
// puts each request to the durable book, as one operation, and says exactly
// what became of it; what the book holds and decides is the book's affair.
package ledger

import (
	"context"
	"fmt"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// New makes an instance that serves LedgerService on env.Listener, on the
// book's store for current accounts at env.BookAddr.
func New(_ context.Context, env node.Env) (node.Instance, error) {
	store, err := book.Dial(env.BookAddr, bank.StoreLedger)
	if err != nil {
		return nil, fmt.Errorf("ledger: dial the book at %s: %w", env.BookAddr, err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	server.OnClose(func() {
		if err := store.Close(); err != nil {
			env.Log.Warn("close the connection to the book", "err", err)
		}
	})
	bankv1.RegisterLedgerServiceServer(server.Registrar(), &service{store: store})
	return server, nil
}

// service implements LedgerService. A refusal is an answer; an error says
// whether the operation may have been executed, in the kinds of package bank.
type service struct {
	bankv1.UnimplementedLedgerServiceServer
	store book.Store
}

// Post implements LedgerService.
func (s *service) Post(ctx context.Context, req *bankv1.PostRequest) (*bankv1.PostResponse, error) {
	done, err := s.apply(ctx, post(req))
	if err != nil {
		return nil, err
	}
	return &bankv1.PostResponse{Refusal: bank.RefusalFromBook(done.Refusal)}, nil
}

// Hold implements LedgerService.
func (s *service) Hold(ctx context.Context, req *bankv1.HoldRequest) (*bankv1.HoldResponse, error) {
	done, err := s.apply(ctx, hold(req))
	if err != nil {
		return nil, err
	}
	return &bankv1.HoldResponse{Refusal: bank.RefusalFromBook(done.Refusal)}, nil
}

// Capture implements LedgerService.
func (s *service) Capture(ctx context.Context, req *bankv1.CaptureRequest) (*bankv1.CaptureResponse, error) {
	done, err := s.apply(ctx, capture(req))
	if err != nil {
		return nil, err
	}
	return &bankv1.CaptureResponse{Refusal: bank.RefusalFromBook(done.Refusal)}, nil
}

// Release implements LedgerService.
func (s *service) Release(ctx context.Context, req *bankv1.ReleaseRequest) (*bankv1.ReleaseResponse, error) {
	done, err := s.apply(ctx, release(req))
	if err != nil {
		return nil, err
	}
	return &bankv1.ReleaseResponse{Refusal: bank.RefusalFromBook(done.Refusal)}, nil
}

// ApplyAdvice implements LedgerService. Applied is false when this advice had
// been applied before.
func (s *service) ApplyAdvice(ctx context.Context, req *bankv1.ApplyAdviceRequest) (*bankv1.ApplyAdviceResponse, error) {
	done, err := s.apply(ctx, advice(req))
	if err != nil {
		return nil, err
	}
	return &bankv1.ApplyAdviceResponse{Applied: !done.Replayed}, nil
}

// GetBalance implements LedgerService.
func (s *service) GetBalance(ctx context.Context, req *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
	account, err := s.store.Account(ctx, req.GetAccount())
	if err != nil {
		return nil, bank.Wrap(err, "read account %s", req.GetAccount())
	}
	return &bankv1.GetBalanceResponse{
		BalanceMinor:   account.GetBalanceMinor(),
		AvailableMinor: account.GetBalanceMinor() - account.GetHeldMinor(),
	}, nil
}

func (s *service) apply(ctx context.Context, op *bookv1.Operation) (book.Result, error) {
	done, err := s.store.Apply(ctx, op)
	if err != nil {
		return book.Result{}, bank.Wrap(err, "%v %.64s", op.GetKind(), op.GetKey())
	}
	return done, nil
}
