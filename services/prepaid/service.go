// Package prepaid is the processor of prepaid cards: separate from current
// accounts, with balances of its own (store prepaid of the book). It never
// touches the ledger.
package prepaid

import (
	"context"
	"fmt"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/bank"
)

const serviceName = "prepaid"

// New builds an instance that serves once Serve is called. It reaches the book
// at env.BookAddr.
func New(_ context.Context, env node.Env) (node.Instance, error) {
	store, err := book.Dial(env.BookAddr, bank.StorePrepaid)
	if err != nil {
		return nil, fmt.Errorf("build %s: open the book: %w", env.Instance, err)
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, Log: env.Log,
		AccessLog: env.AccessLog,
	})
	bankv1.RegisterPrepaidServiceServer(server.Registrar(), &service{store: store})
	server.OnClose(func() {
		if err := store.Close(); err != nil {
			env.Log.Warn("close the book", "error", err)
		}
	})
	return server, nil
}
