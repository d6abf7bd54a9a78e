package recording

import (
	"encoding/binary"
	"errors"
)

// bodyWriter writes the parts of which a snapshot is made.
type bodyWriter struct{ buf []byte }

func (w *bodyWriter) number(n int64) { w.buf = binary.AppendUvarint(w.buf, uint64(n)) }

func (w *bodyWriter) signed(n int64) { w.buf = binary.AppendVarint(w.buf, n) }

func (w *bodyWriter) text(s string) {
	w.number(int64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *bodyWriter) packed(all []packed) {
	for _, p := range all {
		w.text(string(p))
	}
}

// bodyReader reads them. After the first error it reads nothing but zeros.
type bodyReader struct {
	rest []byte
	err  error
}

var (
	errShort = errors.New("it ends too early")
	errRange = errors.New("a number is out of its range")
)

func (r *bodyReader) fail(err error) {
	if r.err == nil {
		r.err, r.rest = err, nil
	}
}

// needs fails unless so many bytes are left; it says whether anything has failed.
func (r *bodyReader) needs(n int) bool {
	if n > len(r.rest) {
		r.fail(errShort)
	}
	return r.err != nil
}

func (r *bodyReader) number(most int64) int64 {
	n, size := binary.Uvarint(r.rest)
	switch {
	case size <= 0:
		r.fail(errShort)
		return 0
	case n > uint64(most):
		r.fail(errRange)
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

func (r *bodyReader) signed() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count is how long a list is whose members take so many bytes at least.
func (r *bodyReader) count(most int64, each int) int {
	n := int(r.number(most))
	if r.needs(n * each) {
		return 0
	}
	return n
}

func (r *bodyReader) text(most int) string {
	n := r.count(int64(most), 1)
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *bodyReader) packed(to []packed, steps int) {
	for i := range to {
		p, err := checkPacked(r.text(packedMaxBytes), steps)
		if err != nil {
			r.fail(err)
		}
		to[i] = p
	}
}
