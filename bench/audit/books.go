package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"breakbank/platform/book"
	bookv1 "breakbank/proto/book/v1"
	"breakbank/services/bank"
)

// Books are the stores of a run, by name.
type Books map[string]*Book

// Book is one store, read twice: its journal, replayed from the first entry,
// and its balances, as the store itself has them.
type Book struct {
	Store string
	// Entries by key of their operation.
	Entries map[string]*bookv1.Entry
	// Replayed is the book that the journal leads to.
	Replayed *book.Replay
	// Balances are the accounts that the store has, whether or not its journal
	// knows them.
	Balances map[string]*bookv1.Account
	// Broken is why the journal cannot be replayed, nil if it can.
	Broken error
	// Length of the journal.
	Length int64
}

// ReadBooks opens every store below dir read-only and reads it whole.
func ReadBooks(ctx context.Context, dir string) (Books, error) {
	books := Books{}
	for _, name := range bank.Stores {
		store, err := book.OpenPebble(filepath.Join(dir, name), book.Options{ReadOnly: true})
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w", name, err)
		}
		b, err := ReadBook(ctx, name, store)
		if err := errors.Join(err, store.Close()); err != nil {
			return nil, err
		}
		books[name] = b
	}
	return books, nil
}

// ReadBook reads a store whole.
func ReadBook(ctx context.Context, name string, store *book.Pebble) (*Book, error) {
	b := &Book{
		Store: name, Entries: map[string]*bookv1.Entry{},
		Replayed: book.NewReplay(), Balances: map[string]*bookv1.Account{},
	}
	for {
		entries, err := store.Entries(ctx, b.Length+1, book.MaxEntries)
		if err != nil {
			return nil, fmt.Errorf("read the journal of %s: %w", name, err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			b.Length++
			b.Entries[e.GetOperation().GetKey()] = e
			if b.Broken == nil {
				b.Broken = b.Replayed.Add(e)
			}
		}
	}
	_, err := store.EachAccount(ctx, func(a *bookv1.Account) error {
		b.Balances[a.GetId()] = a
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the accounts of %s: %w", name, err)
	}
	return b, nil
}

// opened is how many accounts the journal opens.
func (b *Book) opened() (n int64) {
	for _, e := range b.Entries {
		if e.GetOperation().GetKind() == bookv1.OperationKind_OPERATION_KIND_OPEN {
			n++
		}
	}
	return n
}
