package clientside

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// calls makes the calls of one channel.
type calls struct {
	caller  *Caller
	service string
}

// unary is a grpc.UnaryClientInterceptor: what a router does with a request,
// on the caller's side of the wire.
func (c calls) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	q := newRequest(ctx, c)
	var trailer metadata.MD
	own := append(opts[:len(opts):len(opts)], grpc.Trailer(&trailer))
	err := q.send(func(ctx context.Context) (metadata.MD, error) {
		trailer = nil
		err := invoke(ctx, method, req, reply, cc, own...)
		return trailer, err
	})
	setTrailers(opts, q.trailers(trailer))
	return err
}

// stream is a grpc.StreamClientInterceptor. A stream that has been opened gets
// no other attempt: what was sent on it is not kept.
func (c calls) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	q := newRequest(ctx, c)
	var (
		opened grpc.ClientStream
		last   *attempt
	)
	err := q.send(func(ctx context.Context) (metadata.MD, error) {
		last = attemptOf(ctx)
		var err error
		opened, err = open(ctx, desc, cc, method, opts...)
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	return &clientStream{ClientStream: opened, request: q, attempt: last}, nil
}

// clientStream gives the error that ends a stream its class, and adds where it
// went to its trailers.
type clientStream struct {
	grpc.ClientStream
	request *request
	attempt *attempt

	once    sync.Once
	trailer metadata.MD
}

func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil || s.attempt.at.Load() == nil || errors.Is(err, io.EOF) {
		return err
	}
	f := fateOf(s.attempt, err, s.ClientStream.Trailer())
	return s.request.verdict(f, s.attempt.at.Load(), err)
}

func (s *clientStream) Trailer() metadata.MD {
	s.once.Do(func() { s.trailer = s.request.trailers(s.ClientStream.Trailer()) })
	return s.trailer
}

// setTrailers gives trailers to whoever asked for them.
func setTrailers(opts []grpc.CallOption, trailer metadata.MD) {
	for _, opt := range opts {
		if wanted, ok := opt.(grpc.TrailerCallOption); ok {
			*wanted.TrailerAddr = trailer
		}
	}
}
