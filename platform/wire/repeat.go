package wire

import (
	"slices"

	"golang.org/x/net/http2/hpack"
)

// repeat is the header list that was encoded last and its block, where that
// does nothing but point into the table: the same list again has the same block,
// as long as nothing has been put into the table in between. Most of what a load
// generator or a proxy sends is the list before, and comparing one costs a
// fraction of looking each of its fields up.
type repeat struct {
	fields []hpack.HeaderField
	block  []byte
}

// repeatMax is how long a list may be to be kept. Its block has one byte a
// field, which an index below 127 takes (RFC 7541, 6.1).
const repeatMax = 32

// of returns the block of a list, nil if it is not known.
func (r *repeat) of(fields []hpack.HeaderField) []byte {
	if len(r.block) == 0 || !slices.Equal(fields, r.fields) {
		return nil
	}
	return r.block
}

// keep notes what a list was encoded to. Anything but indexes may have changed
// the table, and ends what was known.
func (r *repeat) keep(fields []hpack.HeaderField, block []byte) {
	r.forget()
	if len(fields) > repeatMax || len(block) != len(fields) {
		return
	}
	for _, b := range block {
		if b < 0x80 {
			return
		}
	}
	r.fields = append(r.fields, fields...)
	r.block = append(r.block, block...)
}

// forget is called when the table changes.
func (r *repeat) forget() {
	clear(r.fields)
	r.fields, r.block = r.fields[:0], r.block[:0]
}
