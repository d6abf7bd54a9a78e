// Package rpc is how the services of the bank speak to each other: a dialer
// that reaches a service by name through the node's router, a server that
// refuses what was not meant for it, and the metadata both agree on.
//
// What belongs here is what every hop needs and no business does: identity,
// idempotency keys on the wire, route provenance, drain, and above all the
// meaning of a failure.
//
// # What a failure means
//
// A caller that moves money must know whether a failed call may have been
// executed. The dialer makes that exact:
//
//	Unavailable        certainly never executed
//	Aborted            sent, then lost: it may have been executed
//	DeadlineExceeded,
//	Canceled, Unknown  it may have been executed
//
// A connection that never became ready is Unavailable; one that broke after
// the request had gone out is Aborted, after one retry if the call carries an
// idempotency key ([WithKey]) or is a read ([Read]). A status that a server or
// a router sent passes through as it is.
package rpc

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// Metadata of requests.
const (
	// KeyMetadata carries the idempotency key; a call with one may be retried.
	KeyMetadata = "bb-idempotency-key"
	// ReadMetadata is "1" on calls that change nothing and may be retried.
	ReadMetadata = "bb-read"
	// ServiceMetadata names the service that a call is meant for, where
	// :authority cannot.
	ServiceMetadata = "bb-service"
	// InstanceWantMetadata names the instance that a router chose.
	InstanceWantMetadata = "bb-instance-want"
	// RequestIDMetadata names the request at an edge that a call is for; see
	// [RequestID]. A caller that sent none is told in a trailer of that name.
	RequestIDMetadata = "bb-request-id"
	// OutsideRequestID is what callers outside the bank name a request by, as
	// HTTP proxies do. Edges take it.
	OutsideRequestID = "x-request-id"
)

// Trailers of responses.
const (
	// RefusedTrailer says why a server refused a call that it was not meant
	// to have: [RefusedWrongService] or [RefusedWrongInstance].
	RefusedTrailer = "bb-refused"
	// RouteTrailer is the worst [Route] of the hops below.
	RouteTrailer = "bb-route"
	// RouteAgeTrailer is the age of the oldest table used, in milliseconds.
	RouteAgeTrailer = "bb-route-age-ms"
	// AttemptsTrailer is the number of attempts of all hops below.
	AttemptsTrailer = "bb-attempts"
	// InstanceTrailer names the instance that answered.
	InstanceTrailer = "bb-instance"
)

// Values of [RefusedTrailer].
const (
	RefusedWrongService  = "wrong-service"
	RefusedWrongInstance = "wrong-instance"
)

type (
	keyContext  struct{}
	readContext struct{}
)

// WithKey returns a context whose calls carry the idempotency key. Such a
// call is retried once when its connection is lost. The key of an incoming
// request is never passed on by itself: what it guards is for the service to
// say.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

// Key returns the key set by [WithKey], else the one that the request being
// served came with, else "".
func Key(ctx context.Context) string {
	if key, ok := ctx.Value(keyContext{}).(string); ok {
		return key
	}
	return first(metadata.ValueFromIncomingContext(ctx, KeyMetadata))
}

// Read returns a context whose calls change nothing, so that one whose
// connection is lost is retried once.
func Read(ctx context.Context) context.Context {
	return context.WithValue(ctx, readContext{}, true)
}

// outgoing adds to ctx the metadata that WithKey and Read ask for and the id of
// the request being served, and says whether the call may be repeated.
func outgoing(ctx context.Context) (context.Context, bool) {
	var room [6]string // on the stack: this runs for every call
	add, repeatable := room[:0], false
	if key, _ := ctx.Value(keyContext{}).(string); key != "" {
		add = append(add, KeyMetadata, key)
		repeatable = true
	}
	if read, _ := ctx.Value(readContext{}).(bool); read {
		add = append(add, ReadMetadata, "1")
		repeatable = true
	}
	if id := RequestID(ctx); id != "" {
		add = append(add, RequestIDMetadata, id)
	}
	if len(add) == 0 {
		return ctx, false
	}
	return metadata.AppendToOutgoingContext(ctx, add...), repeatable
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
