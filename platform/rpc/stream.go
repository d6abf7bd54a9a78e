package rpc

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// stream is a grpc.StreamClientInterceptor: the failure classes of unary
// calls, without the retry.
func (c *caller) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, _ = outgoing(ctx)
	if err := waitReady(ctx, cc, time.Now().Add(sendWait)); err != nil {
		return nil, c.unavailable(method, err)
	}
	wire := new(Wire)
	s, err := open(wire.Record(ctx), desc, cc, method, opts...)
	if err != nil {
		return nil, c.classed(method, wire, err)
	}
	return &clientStream{reporting: reporting{ClientStream: s, ctx: ctx}, caller: c, method: method, wire: wire}, nil
}

// classed gives the error that ended a stream its class.
func (c *caller) classed(method string, wire *Wire, err error) error {
	switch wire.Fate(err) {
	case NeverSent:
		return c.unavailable(method, err)
	case Lost:
		return c.aborted(method, err)
	case Answered, OutOfTime:
	}
	return err
}

// clientStream gives the errors of a stream their class, and reports its
// trailers once it has ended.
type clientStream struct {
	reporting
	caller *caller
	method string
	wire   *Wire
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		return nil
	}
	s.report()
	if errors.Is(err, io.EOF) {
		return err
	}
	return s.caller.classed(s.method, s.wire, err)
}

// reporting is a stream whose trailers are reported once.
type reporting struct {
	grpc.ClientStream
	ctx  context.Context // the caller's: the stream's own ends with it
	done atomic.Bool
}

func (r *reporting) report() {
	if r.done.CompareAndSwap(false, true) {
		collect(r.ctx, ParseProvenance(r.Trailer()))
	}
}
