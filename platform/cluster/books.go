package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/book"
	adminv1 "breakbank/proto/admin/v1"
)

// checkBooksLimit bounds reading all stores through.
const checkBooksLimit = 90 * time.Second

// bookPatience is how long a check waits for the book to be there. A service has
// half a second for that, since a customer waits for it; nobody waits for a check.
const bookPatience = 5 * time.Second

// CheckBooks reads the stores one after the other, over the network as any
// service does, and one caller's at a time: the platform goes on serving.
func (s *adminServer) CheckBooks(ctx context.Context, _ *adminv1.CheckBooksRequest) (*adminv1.CheckBooksResponse, error) {
	p := s.platform
	if !p.checkingBooks.TryLock() {
		return nil, status.Error(codes.ResourceExhausted, "the books are being checked for somebody else")
	}
	defer p.checkingBooks.Unlock()
	ctx, cancel := context.WithTimeout(ctx, checkBooksLimit)
	defer cancel()
	resp := &adminv1.CheckBooksResponse{}
	for _, name := range p.stores {
		checked, err := checkStore(ctx, p.book, name)
		if err != nil {
			return nil, failed("check the books: store "+name, err)
		}
		resp.Stores = append(resp.Stores, checked)
	}
	return resp, nil
}

// checkStore checks a store of the book at an address.
func checkStore(ctx context.Context, address, name string) (checked *adminv1.StoreCheck, err error) {
	store, err := book.Dial(address, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := awaitBook(ctx, store); err != nil {
		return nil, err
	}
	v, err := book.Verify(ctx, store)
	if err != nil {
		return nil, err
	}
	faults := v.Faults
	if more := v.FaultCount - int64(len(faults)); more > 0 {
		faults = append(faults, fmt.Sprintf("and %d more", more))
	}
	return &adminv1.StoreCheck{Store: name, Entries: v.Entries, Accounts: v.Accounts, Faults: faults}, nil
}

// awaitBook returns once the store says anything, or is not there after
// bookPatience.
func awaitBook(ctx context.Context, store book.Store) error {
	ctx, cancel := context.WithTimeout(ctx, bookPatience)
	defer cancel()
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for {
		_, err := store.Entries(ctx, 1, 1)
		if status.Code(err) != codes.Unavailable {
			return nil // What else is wrong, reading it through will say.
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return err //nolint:wrapcheck // the last that the book's client said
		}
	}
}
