package router

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
)

// fate is what became of an attempt, as a router needs to know it: what
// happened on the wire (rpc.Wire), and what a server meant by its answer.
type fate int

const (
	// answered: the server sent a status; it passes through unchanged.
	answered fate = iota
	// neverSent: no server has seen the request, for there was no connection
	// to be had, or not in the caller's time. It may be sent elsewhere.
	neverSent
	// unsendable: no server has seen the request, and none will: it is the
	// request that cannot be sent (headers larger than the server takes).
	unsendable
	// misdelivered: a server that was not meant turned it away, unexecuted.
	misdelivered
	// lost: sent, and the connection ended before a status came. The request
	// may have been executed.
	lost
	// abandoned: sent, and the caller cancelled or ran out of time.
	abandoned
)

// reply is what an attempt brought back besides messages.
type reply struct {
	header, trailer metadata.MD
	wire            rpc.Wire
	err             error
	// callerGone: err is that of the caller's own connection, and says nothing
	// of the endpoint.
	callerGone bool
}

func (r *reply) fate(ctx context.Context) fate {
	if r.callerGone {
		return abandoned
	}
	switch r.wire.Fate(r.err) {
	case rpc.Answered:
		if r.err != nil && len(r.trailer.Get(rpc.RefusedTrailer)) > 0 {
			return misdelivered
		}
		return answered
	case rpc.NeverSent:
		if ctx.Err() == nil && status.Code(r.err) != codes.Unavailable {
			return unsendable
		}
		return neverSent
	case rpc.OutOfTime:
		return abandoned
	case rpc.Lost:
	}
	return lost
}

// executed says whether a request that came to this fate may have been.
func (f fate) executed() bool {
	switch f {
	case neverSent, unsendable, misdelivered:
		return false
	case answered, lost, abandoned:
	}
	return true
}

// failed says whether an attempt counts against its endpoint: outlier
// ejection sees what Envoy's does, gateway errors and server faults.
func (r *reply) failed(f fate) bool {
	switch f {
	case misdelivered, lost:
		return true
	case neverSent:
		// One whose caller ran out of time first says nothing yet.
		return status.Code(r.err) == codes.Unavailable
	case unsendable:
		return false
	case abandoned:
		// A frozen instance shows itself only by never answering.
		return !r.callerGone && status.Code(r.err) == codes.DeadlineExceeded && len(r.header) == 0
	case answered:
	}
	switch status.Code(r.err) {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	default:
		return false
	}
}
