// Package balance is the service that answers what a customer has. It keeps
// nothing of its own: the ledger knows.
package balance

import (
	"context"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

// New makes an instance that serves BalanceService on env.Listener and finds
// the ledger through env.Dialer.
func New(_ context.Context, env node.Env) (node.Instance, error) {
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	bankv1.RegisterBalanceServiceServer(server.Registrar(), &service{dialer: env.Dialer})
	return server, nil
}

type service struct {
	bankv1.UnimplementedBalanceServiceServer
	dialer *rpc.Dialer
}

// GetBalance implements BalanceService. The ledger's own answer passes up,
// its errors with their codes: NotFound when there is no such account.
func (s *service) GetBalance(ctx context.Context, req *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
	if req.GetAccount() == "" {
		return nil, bank.Errorf(bank.Invalid, "account must not be empty")
	}
	conn, err := s.dialer.Dial(ctx, "ledger")
	if err != nil {
		return nil, bank.Errorf(bank.Unavailable, "find the ledger: %w", err)
	}
	balance, err := bankv1.NewLedgerServiceClient(conn).GetBalance(rpc.Read(ctx), req)
	if err != nil {
		return nil, bank.Wrap(err, "read the balance of %s", req.GetAccount())
	}
	return balance, nil
}
