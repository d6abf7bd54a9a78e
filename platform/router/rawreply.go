package router

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
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

// failed says whether an attempt counts against its endpoint.
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
	return failedStatus(status.Code(r.err))
}
