package rpc

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// Fate is what became of one attempt at a call. Everything that a caller or a
// router may do next hangs on it.
type Fate int

const (
	// Answered: the peer sent a status; it stands as it is.
	Answered Fate = iota
	// NeverSent: no peer has seen the request.
	NeverSent
	// Lost: sent, and the connection broke before a status came. The request
	// may have been executed.
	Lost
	// OutOfTime: sent, and the caller's time ended, or it cancelled, before a
	// status came. The request may have been executed.
	OutOfTime
)

// Wire is what happened on the wire during one attempt. A status code alone
// cannot tell a request that never left from one whose answer was lost: both
// are Unavailable in grpc-go. Its stats events can. The zero value is ready;
// it may be read while the attempt is under way.
type Wire struct {
	sent     atomic.Bool // the request's headers were handed to a connection
	answered atomic.Bool // a status arrived as trailers
}

type wireContext struct{}

// Record returns a context for one attempt on a channel dialled with
// [WatchWire]; what happens to the attempt is recorded in w.
func (w *Wire) Record(ctx context.Context) context.Context {
	return context.WithValue(ctx, wireContext{}, w)
}

// Sent reports whether a peer may have seen the request.
func (w *Wire) Sent() bool { return w.sent.Load() }

// Fate says what became of an attempt that ended with err, nil for a stream
// that ended well.
//
// Of an attempt that was sent and brought no status only the code tells
// whether it was lost or the caller's time ended: a connection may break in the
// very moment in which that time ends, and grpc-go then says Unavailable, which
// would claim that nothing happened.
func (w *Wire) Fate(err error) Fate {
	switch {
	case err == nil || w.answered.Load():
		return Answered
	case !w.sent.Load():
		return NeverSent
	}
	switch status.Code(err) {
	case codes.DeadlineExceeded, codes.Canceled:
		return OutOfTime
	default:
		return Lost
	}
}

// WatchWire is the dial option without which a [Wire] records nothing.
func WatchWire() grpc.DialOption { return grpc.WithStatsHandler(wireWatcher{}) }

// wireWatcher fills in the Wire that the context of a call carries.
type wireWatcher struct{}

func (wireWatcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (wireWatcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	switch event.(type) {
	case *stats.Begin, *stats.OutHeader, *stats.InTrailer:
	default:
		return // before the look-up, which is what costs
	}
	w, ok := ctx.Value(wireContext{}).(*Wire)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin:
		// grpc-go begins again only after an attempt that the peer has
		// certainly not processed (REFUSED_STREAM, or above the last stream
		// of a GOAWAY), so that one no longer counts.
		w.sent.Store(false)
	case *stats.OutHeader:
		w.sent.Store(true)
	case *stats.InTrailer:
		w.answered.Store(true)
	}
}

func (wireWatcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (wireWatcher) HandleConn(context.Context, stats.ConnStats) {}
