package rpc

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// wireRecord is what happened on the wire during one attempt. A status code
// alone cannot tell a request that never left from one whose answer was lost:
// both are Unavailable in grpc-go. Its stats events can.
type wireRecord struct {
	sent     atomic.Bool // the request's headers were handed to a connection
	answered atomic.Bool // a status arrived as trailers
}

type wireContext struct{}

// wireWatcher fills in the wireRecord that the context of a call carries.
type wireWatcher struct{}

func (wireWatcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (wireWatcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	record, ok := ctx.Value(wireContext{}).(*wireRecord)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin:
		// grpc-go begins again only after an attempt that the peer has
		// certainly not processed (REFUSED_STREAM, or above the last stream
		// of a GOAWAY), so that one no longer counts.
		record.sent.Store(false)
	case *stats.OutHeader:
		record.sent.Store(true)
	case *stats.InTrailer:
		record.answered.Store(true)
	}
}

func (wireWatcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (wireWatcher) HandleConn(context.Context, stats.ConnStats) {}
