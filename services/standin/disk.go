package standin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	bankv1 "breakbank/proto/bank/v1"
)

// Sizes of the store: ten thousand accounts and the decisions of some hours.
const (
	blockCacheBytes = 8 << 20
	memTableBytes   = 8 << 20
)

// Keys on disk: one letter and a name.
const (
	accountKey  = 'a' // + account: an account that is not as it was seeded
	decisionKey = 'd' // + idempotency key: a decision
	positionKey = 'p' // the last message of the journal's stream that was taken in
)

// disk is stand-in's own durable store.
type disk struct{ db *pebble.DB }

func openDisk(dir string, log *slog.Logger) (*disk, error) {
	cache := pebble.NewCache(blockCacheBytes)
	defer cache.Unref() // the database keeps its own reference
	db, err := pebble.Open(dir, &pebble.Options{
		Cache:        cache,
		MemTableSize: memTableBytes,
		Logger:       quiet{log},
	})
	if err != nil {
		return nil, fmt.Errorf("open stand-in's store in %s: %w", dir, err)
	}
	return &disk{db: db}, nil
}

func (d *disk) close() error { return d.db.Close() }

// decision is a decision as it is kept.
type decision struct {
	advice *bankv1.AdviseRequest
	// reserved: the money is set aside here, and the journal has not said yet
	// what became of the advice.
	reserved bool
	// reversed: the payment was undone; it can no longer be approved.
	reversed bool
}

// Bits of a decision's first byte.
const (
	reservedBit = 1 << iota
	reversedBit
)

// errCorrupt means that what lies on disk is not what was written.
var errCorrupt = errors.New("stand-in's store is corrupt")

func name(prefix byte, id string) []byte { return append([]byte{prefix}, id...) }

// get reads a value, nil when there is none; it belongs to the caller.
func (d *disk) get(key []byte) ([]byte, error) {
	value, closer, err := d.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", key, err)
	}
	own := append([]byte(nil), value...)
	return own, closer.Close()
}

// decision reads the decision on a payment, nil when there is none.
func (d *disk) decision(key string) (*decision, error) {
	value, err := d.get(name(decisionKey, key))
	if value == nil || err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("%w: decision %q is empty", errCorrupt, key)
	}
	advice := new(bankv1.AdviseRequest)
	if err := proto.Unmarshal(value[1:], advice); err != nil {
		return nil, fmt.Errorf("%w: decision %q: %w", errCorrupt, key, err)
	}
	return &decision{advice: advice, reserved: value[0]&reservedBit != 0, reversed: value[0]&reversedBit != 0}, nil
}

// position is the last message of the journal's stream that was taken in, 0
// for none.
func (d *disk) position() (uint64, error) {
	value, err := d.get([]byte{positionKey})
	if value == nil || err != nil {
		return 0, err
	}
	position, n := binary.Uvarint(value)
	if n <= 0 {
		return 0, fmt.Errorf("%w: position", errCorrupt)
	}
	return position, nil
}

// accounts calls f with each account that was written.
func (d *disk) accounts(f func(id string, a account)) (err error) {
	iterator, err := d.db.NewIter(&pebble.IterOptions{LowerBound: []byte{accountKey}, UpperBound: []byte{accountKey + 1}})
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for valid := iterator.First(); valid; valid = iterator.Next() {
		a, err := decodeAccount(iterator.Value())
		if err != nil {
			return fmt.Errorf("account %q: %w", iterator.Key()[1:], err)
		}
		f(string(iterator.Key()[1:]), a)
	}
	return iterator.Error()
}

// write is a set of changes that are made together.
type write struct{ batch *pebble.Batch }

func (d *disk) begin() write { return write{batch: d.db.NewBatch()} }

func (w write) account(id string, a account) error {
	return w.batch.Set(name(accountKey, id), encodeAccount(a), nil)
}

func (w write) decision(key string, d *decision) error {
	var flags byte
	if d.reserved {
		flags |= reservedBit
	}
	if d.reversed {
		flags |= reversedBit
	}
	value, err := proto.MarshalOptions{}.MarshalAppend([]byte{flags}, d.advice)
	if err != nil {
		return fmt.Errorf("encode decision %q: %w", key, err)
	}
	return w.batch.Set(name(decisionKey, key), value, nil)
}

func (w write) position(position uint64) error {
	return w.batch.Set([]byte{positionKey}, binary.AppendUvarint(nil, position), nil)
}

func encodeAccount(a account) []byte {
	buf := make([]byte, 0, 48)
	for _, v := range []int64{a.balanceMinor, a.heldMinor, a.limitMinor, a.reservedMinor, a.spentMinor, a.day} {
		buf = binary.AppendVarint(buf, v)
	}
	if a.frozen {
		return append(buf, 1)
	}
	return append(buf, 0)
}

func decodeAccount(buf []byte) (a account, err error) {
	for _, v := range []*int64{&a.balanceMinor, &a.heldMinor, &a.limitMinor, &a.reservedMinor, &a.spentMinor, &a.day} {
		value, n := binary.Varint(buf)
		if n <= 0 {
			return account{}, errCorrupt
		}
		*v, buf = value, buf[n:]
	}
	if len(buf) != 1 {
		return account{}, errCorrupt
	}
	a.frozen = buf[0] == 1
	return a, nil
}

// quiet is pebble's log: what it does is a detail, what it fails at is not.
type quiet struct{ log *slog.Logger }

func (q quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) { q.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf must not return: pebble calls it when going on would lose data.
func (q quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
