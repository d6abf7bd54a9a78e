package rpc

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stream is a grpc.StreamClientInterceptor: the failure classes of unary
// calls, without the retry.
func (c *caller) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, _ = outgoing(ctx)
	if err := waitReady(ctx, cc, time.Now().Add(sendWait)); err != nil {
		return nil, c.unavailable(method, err)
	}
	record := new(wireRecord)
	s, err := open(context.WithValue(ctx, wireContext{}, record), desc, cc, method, opts...)
	if err != nil {
		if !record.sent.Load() {
			return nil, c.unavailable(method, err)
		}
		return nil, err
	}
	return &clientStream{ClientStream: s, caller: c, ctx: ctx, method: method, record: record}, nil
}

// clientStream gives the errors of a stream their class, and reports its
// trailers once it has ended.
type clientStream struct {
	grpc.ClientStream
	caller *caller
	ctx    context.Context // the caller's: the stream's own ends with it
	method string
	record *wireRecord
	done   atomic.Bool
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		return nil
	}
	if s.done.CompareAndSwap(false, true) {
		collect(s.ctx, ParseProvenance(s.Trailer()))
	}
	switch {
	case errors.Is(err, io.EOF), s.record.answered.Load(), s.ctx.Err() != nil,
		status.Code(err) == codes.DeadlineExceeded:
		return err
	case !s.record.sent.Load():
		return s.caller.unavailable(s.method, err)
	default:
		return s.caller.aborted(s.method, err)
	}
}
