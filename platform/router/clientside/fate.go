package clientside

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
)

// fate is what became of an attempt; the names and their meaning are a
// router's (platform/router).
type fate int

const (
	answered fate = iota
	neverSent
	unsendable
	misdelivered
	lost
	abandoned
)

// fateOf says what became of an attempt that ended with err.
func fateOf(a *attempt, err error, trailer metadata.MD) fate {
	switch a.wire.Fate(err) {
	case rpc.Answered:
		if err != nil && len(trailer.Get(rpc.RefusedTrailer)) > 0 {
			return misdelivered
		}
		return answered
	case rpc.NeverSent:
		switch status.Code(err) {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
			return neverSent
		}
		return unsendable
	case rpc.OutOfTime:
		return abandoned
	case rpc.Lost:
	}
	return lost
}

// failed says whether an attempt counts against its instance, as it does in a
// router.
func failed(f fate, err error, heard bool) bool {
	switch f {
	case misdelivered, lost:
		return true
	case neverSent, unsendable:
		return false // Whether it can be connected to, its connection says.
	case abandoned:
		// A frozen instance shows itself only by never answering.
		return status.Code(err) == codes.DeadlineExceeded && !heard
	case answered:
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	default:
		return false
	}
}
