package telemetry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"google.golang.org/grpc/credentials"
)

// NewClientCredentials sends the token with every call to an admin listener.
// Without a token it sends nothing, as is right on loopback. The connection is
// not encrypted: keep admin listeners off networks that one does not trust.
func NewClientCredentials(token string) credentials.PerRPCCredentials { return bearer(token) }

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if b == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// String keeps a token out of whatever prints the options of a connection.
func (bearer) String() string { return "bearer token" }

// GoString is String for %#v.
func (b bearer) GoString() string { return b.String() }

// tokenCheck compares tokens in a time that tells nothing about the right one:
// digests are equally long, whatever was sent.
type tokenCheck struct{ digest [sha256.Size]byte }

func newTokenCheck(token string) tokenCheck { return tokenCheck{sha256.Sum256([]byte(token))} }

// admits says whether the Authorization fields of a request are the token: one
// field, of the scheme Bearer, whose name may be written in any case (RFC 7235,
// section 2.1).
func (t tokenCheck) admits(fields []string) bool {
	if len(fields) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	sent := sha256.Sum256([]byte(token))
	same := subtle.ConstantTimeCompare(sent[:], t.digest[:]) == 1
	return same && strings.EqualFold(scheme, "Bearer")
}
