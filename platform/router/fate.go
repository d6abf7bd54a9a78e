package router

import (
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/platform/router/balance"
)

// fate is what became of an attempt, as a router needs to know it: what
// happened on the wire, and what a server meant by its answer.
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

// executed says whether a request that came to this fate may have been.
func (f fate) executed() bool {
	switch f {
	case neverSent, unsendable, misdelivered:
		return false
	case answered, lost, abandoned:
	}
	return true
}

// outcome is what an attempt tells the balancer.
type outcome struct {
	fate       fate
	began, now time.Time
	// failed: it counts against the endpoint.
	failed bool
	// spared: it was not sent, but that says nothing against the endpoint.
	spared bool
	// load is what the instance said of itself, nil if nothing.
	load *balance.Load
}

// failedStatus says whether a status counts against whoever sent it: outlier
// ejection sees what Envoy's does, gateway errors and server faults.
func failedStatus(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	default:
		return false
	}
}
