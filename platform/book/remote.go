package book

import (
	"context"
	"fmt"

	"breakbank/platform/rpc"
	bookv1 "breakbank/proto/book/v1"
)

// remote is a [Store] on another process.
type remote struct {
	dialer *rpc.Dialer
	client bookv1.BookServiceClient
	store  string
}

// Dial returns the store of that name on the book at addr. It does not wait
// for a connection: calls do, up to half a second. Errors keep the gRPC status
// and its meaning (see package rpc): Unavailable means that an operation
// certainly did not happen. A lost connection is repaired once by itself,
// since every operation has a key.
func Dial(addr, store string) (Store, error) {
	dialer := rpc.NewDialer(rpc.DialerConfig{Service: ServiceName + "-client", Instance: store})
	conn, err := dialer.DialFixed(context.Background(), ServiceName, addr)
	if err != nil {
		return nil, fmt.Errorf("dial store %s: %w", store, err)
	}
	return &remote{dialer: dialer, client: bookv1.NewBookServiceClient(conn), store: store}, nil
}

func (r *remote) Apply(ctx context.Context, op *bookv1.Operation) (Result, error) {
	// What no book takes is not sent: a key that does not fit into a header would
	// come back as if the book could not be reached.
	if err := validate(op); err != nil {
		return Result{}, fmt.Errorf("apply to store %s: %w", r.store, err)
	}
	ctx = rpc.WithKey(ctx, op.GetKey())
	resp, err := r.client.Apply(ctx, &bookv1.ApplyRequest{Store: r.store, Operation: op})
	if err != nil {
		return Result{}, fromStatus(fmt.Sprintf("apply %q to store %s", op.GetKey(), r.store), err)
	}
	return Result{Refusal: resp.GetRefusal(), Sequence: resp.GetSequence(), Replayed: resp.GetReplayed()}, nil
}

func (r *remote) Account(ctx context.Context, id string) (*bookv1.Account, error) {
	resp, err := r.client.GetAccount(rpc.Read(ctx), &bookv1.GetAccountRequest{Store: r.store, Account: id})
	if err != nil {
		return nil, fromStatus(fmt.Sprintf("read account %q of store %s", id, r.store), err)
	}
	return resp.GetAccount(), nil
}

func (r *remote) Entries(ctx context.Context, from int64, limit int) ([]*bookv1.Entry, error) {
	resp, err := r.client.ListEntries(rpc.Read(ctx), &bookv1.ListEntriesRequest{
		Store: r.store, FromSequence: from, Limit: int32(min(limit, MaxEntries)),
	})
	if err != nil {
		return nil, fromStatus(fmt.Sprintf("read journal of store %s from %d", r.store, from), err)
	}
	return resp.GetEntries(), nil
}

func (r *remote) Close() error { return r.dialer.Close() }
