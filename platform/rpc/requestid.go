package rpc

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// A request id names what came in at an edge, such as one card tap, in every
// log on its way. An edge takes it from its caller or makes one; from there it
// is in the context of whatever is done for the request, and goes with every
// call of a [Dialer], through routers, which pass it on.

// maxRequestID is the length of the longest id that is taken from a caller.
const maxRequestID = 64

// RequestID returns the id of the request that ctx is for, "" if it has none.
func RequestID(ctx context.Context) string {
	if s := scopeOf(ctx); s != nil {
		return s.id
	}
	return ""
}

// WithRequestID returns a context whose calls carry the id. It is for edges
// that serve something other than gRPC, with [RequestIDFor], and for what is
// done for a request after it has been answered.
func WithRequestID(ctx context.Context, id string) context.Context {
	s := &scope{id: id}
	if outer := scopeOf(ctx); outer != nil {
		s.collector = outer.collector
	}
	return context.WithValue(ctx, scopeContext{}, s)
}

// RequestIDFor returns the id that a caller has given if it is one that logs
// can hold, letters, digits and "-_.:" and no more than 64 of them, else a new
// one.
func RequestIDFor(given string) string {
	if isRequestID(given) {
		return given
	}
	return newRequestID()
}

func isRequestID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}

// newRequestID returns 64 random bits in hex: among a thousand million requests
// two have the same once in 37 times (birthday bound, n²/2^65), and logs have
// times as well.
func newRequestID() string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], rand.Uint64())
	var text [16]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}
