// Package book is the bank's durable double-entry book: what every account
// holds, and the journal of every operation that ever changed it.
//
// What belongs here is the money itself: deciding an operation (a pure core,
// [Decide]), keeping it (an engine on pebble with group commit), reading it
// back ([Replay], for the audit), serving it over gRPC and publishing it (the
// outbox [Relay]). What a payment means belongs to the services.
//
// Money is integer minor units. Each operation is atomic, idempotent by its
// key, and durable before it is acknowledged. The journal's order is total,
// without gaps from 1, and replaying it gives the balances. The balances of
// all accounts of a store, the bank's own included, always sum to zero: held
// money stays in the balance until it is captured.
package book

import (
	"context"
	"errors"

	bookv1 "breakbank/proto/book/v1"
)

// The errors of a store. An operation that ends in one of the first three was
// not executed and is not in the journal.
var (
	// ErrKeyReused means that the key was used before, for something else.
	ErrKeyReused = errors.New("idempotency key reused with other content")
	// ErrInvalid means that the operation makes no sense whatever the state
	// of the book. What is a business no is a Refusal, not an error.
	ErrInvalid = errors.New("invalid operation")
	// ErrClosed means that the store was closed before it took the operation.
	ErrClosed = errors.New("store is closed")
	// ErrNoSuchAccount is returned for reads.
	ErrNoSuchAccount = errors.New("no such account")
)

// MaxEntries is the most entries that one read returns; with references
// bounded as they are, it fits a gRPC message.
const MaxEntries = 1000

// Result is the answer to an operation.
type Result struct {
	// Refusal is REFUSAL_UNSPECIFIED when the operation took place. A refusal
	// is journalled and as durable as a success.
	Refusal bookv1.Refusal
	// Sequence is the entry's place in the journal, from 1.
	Sequence int64
	// Replayed is true when the key had been seen: this is the first answer
	// again, and nothing was done.
	Replayed bool
}

// Store is one book. Implementations are safe for concurrent use; what a call
// returns belongs to the caller.
type Store interface {
	// Apply performs op once. A nil error means that the result is durable.
	// When ctx ends while op is being committed, it may or may not take
	// place; repeating it with the same key settles that.
	Apply(ctx context.Context, op *bookv1.Operation) (Result, error)
	// Account reads an account, or ErrNoSuchAccount. It sees every operation
	// acknowledged before the call. The bank's own accounts always exist.
	Account(ctx context.Context, id string) (*bookv1.Account, error)
	// Entries returns up to limit entries, at most MaxEntries, in order,
	// beginning with sequence from or, if that is below 1, with the first.
	Entries(ctx context.Context, from int64, limit int) ([]*bookv1.Entry, error)
	// Close releases the store.
	Close() error
}
