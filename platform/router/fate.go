package router

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
)

// fate is what became of an attempt. Everything that a router may do next
// hangs on it, so it is told by what happened on the wire, not by the code,
// which a lost connection and a server that says no have in common.
type fate int

const (
	// answered: the server sent a status; it passes through unchanged.
	answered fate = iota
	// neverSent: no server has seen the request. It may be sent elsewhere.
	neverSent
	// refused: a server that was not meant refused it, unexecuted.
	refused
	// lost: sent, and the connection ended before a status came. The request
	// may have been executed.
	lost
	// abandoned: the caller cancelled or ran out of time.
	abandoned
)

// reply is what an attempt brought back besides messages.
type reply struct {
	header, trailer metadata.MD
	// peer is set by grpc only if a stream was opened on a connection and not
	// handed back unprocessed.
	peer peer.Peer
	err  error
}

func (r *reply) fate(ctx context.Context) fate {
	switch {
	case r.err == nil:
		return answered
	case len(r.trailer.Get(rpc.RefusedTrailer)) > 0:
		return refused
	case ctx.Err() != nil:
		return abandoned
	case r.peer.Addr == nil && status.Code(r.err) == codes.Unavailable:
		return neverSent
	case r.connectionEnded():
		return lost
	}
	return answered
}

// abandonedStatus is what the caller of an abandoned attempt is told. The
// connection may have broken in the very moment in which its time ended; that
// must not be passed on as an Unavailable, which says that nothing happened.
func (r *reply) abandonedStatus(ctx context.Context) error {
	if status.Code(r.err) == codes.Unavailable {
		return status.FromContextError(ctx.Err()).Err()
	}
	return r.err
}

// connectionEnded tells the Unavailable that grpc makes up when a connection
// breaks from one that a server sent. A server's comes with trailers, or, if
// there are none, after headers.
func (r *reply) connectionEnded() bool {
	if status.Code(r.err) != codes.Unavailable || len(r.trailer) > 0 {
		return false
	}
	return len(r.header) == 0 || brokenTransport(status.Convert(r.err).Message())
}

// brokenTransport knows grpc-go's own words for a connection that ended with
// streams open (internal/transport, http2Client); TestLostAfterHeaders fails
// if they change.
func brokenTransport(text string) bool {
	for _, words := range []string{"error reading from server", "connection error", "transport is closing", "keepalive ping failed", "the connection is draining", "closing transport"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// failed says whether an attempt counts against its endpoint: outlier
// ejection sees what Envoy's does, gateway errors and server faults.
func (r *reply) failed(f fate) bool {
	switch f {
	case neverSent, refused, lost:
		return true
	case abandoned:
		// A frozen instance shows itself only by never answering.
		return status.Code(r.err) == codes.DeadlineExceeded && len(r.header) == 0
	case answered:
	}
	switch status.Code(r.err) {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	default:
		return false
	}
}
