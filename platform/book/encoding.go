package book

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	bookv1 "breakbank/proto/book/v1"
)

// The key space of a store on disk:
//
//	a<account id>          account, protobuf
//	h<hold key>            hold
//	j<sequence, 8 bytes>   entry, protobuf; big-endian, so in journal order
//	k<idempotency key>     what was asked and answered
//	mposition              how far the outbox relay has come
//
// Keys are remembered as long as the journal that they belong to.
const (
	accountPrefix = 'a'
	holdPrefix    = 'h'
	journalPrefix = 'j'
	keyPrefix     = 'k'
	metaPrefix    = 'm'
)

var errCorrupt = errors.New("store is corrupt")

func named(prefix byte, name string) []byte {
	return append([]byte{prefix}, name...)
}

func journalKey(sequence int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{journalPrefix}, uint64(sequence))
}

func sequenceOf(journalKey []byte) (int64, error) {
	if len(journalKey) != 9 {
		return 0, fmt.Errorf("%w: journal key of %d bytes", errCorrupt, len(journalKey))
	}
	return int64(binary.BigEndian.Uint64(journalKey[1:])), nil
}

func encodeHold(h Hold) []byte {
	buf := append(make([]byte, 0, 16+len(h.Account)), byte(h.Status))
	buf = binary.AppendVarint(buf, h.AmountMinor)
	return append(buf, h.Account...)
}

func decodeHold(b []byte) (Hold, error) {
	if len(b) < 2 {
		return Hold{}, fmt.Errorf("%w: hold of %d bytes", errCorrupt, len(b))
	}
	amount, n := binary.Varint(b[1:])
	if n <= 0 {
		return Hold{}, fmt.Errorf("%w: amount of a hold", errCorrupt)
	}
	return Hold{Status: HoldStatus(b[0]), AmountMinor: amount, Account: string(b[1+n:])}, nil
}

func encodeKey(k KeyRecord) []byte {
	buf := append(make([]byte, 0, sha256.Size+12), k.Hash[:]...)
	buf = binary.AppendVarint(buf, k.Sequence)
	return binary.AppendVarint(buf, int64(k.Refusal))
}

func decodeKey(b []byte) (KeyRecord, error) {
	var k KeyRecord
	if len(b) < sha256.Size {
		return k, fmt.Errorf("%w: key record of %d bytes", errCorrupt, len(b))
	}
	rest := b[copy(k.Hash[:], b):]
	sequence, n := binary.Varint(rest)
	if n <= 0 {
		return k, fmt.Errorf("%w: sequence of a key record", errCorrupt)
	}
	refusal, m := binary.Varint(rest[n:])
	if m <= 0 {
		return k, fmt.Errorf("%w: refusal of a key record", errCorrupt)
	}
	k.Sequence, k.Refusal = sequence, bookv1.Refusal(refusal)
	return k, nil
}
