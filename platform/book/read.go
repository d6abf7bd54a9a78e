package book

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	bookv1 "breakbank/proto/book/v1"
)

// read looks up a key and gives its value, valid during the call, to decode.
// It returns false when there is none.
func read(from pebble.Reader, key []byte, decode func([]byte) error) (bool, error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = decode(value)
	return true, errors.Join(err, closer.Close())
}

func readAccount(from pebble.Reader, id string) (*bookv1.Account, error) {
	a := new(bookv1.Account)
	ok, err := read(from, named(accountPrefix, id), func(b []byte) error { return proto.Unmarshal(b, a) })
	if err != nil || !ok {
		return nil, err
	}
	return a, nil
}

func readHold(from pebble.Reader, key string) (h Hold, ok bool, err error) {
	ok, err = read(from, named(holdPrefix, key), func(b []byte) (err error) {
		h, err = decodeHold(b)
		return err
	})
	return h, ok, err
}

func readKey(from pebble.Reader, key string) (k KeyRecord, ok bool, err error) {
	ok, err = read(from, named(keyPrefix, key), func(b []byte) (err error) {
		k, err = decodeKey(b)
		return err
	})
	return k, ok, err
}

// lastSequence finds the end of the journal.
func lastSequence(from pebble.Reader) (last int64, err error) {
	iter, err := from.NewIter(&pebble.IterOptions{LowerBound: []byte{journalPrefix}, UpperBound: []byte{journalPrefix + 1}})
	if err != nil {
		return 0, fmt.Errorf("find the end of the journal: %w", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	if !iter.Last() {
		return 0, iter.Error()
	}
	return sequenceOf(iter.Key())
}

// scan calls f with each key from lower up to upper, exclusive, in order.
func scan(ctx context.Context, from pebble.Reader, lower, upper []byte, f func(key, value []byte) error) (err error) {
	iter, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(iter.Key(), value); err != nil {
			return err
		}
	}
	return iter.Error()
}
