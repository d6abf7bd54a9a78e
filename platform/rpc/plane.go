package rpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Plane is a data plane inside the calling process: it finds instances and
// balances over them itself, in place of the node's router. Services do not
// know whether there is one.
type Plane interface {
	// Channel says how a service is dialled.
	Channel(service string) Channel
}

// Channel is how a plane has one service dialled.
type Channel struct {
	// Target is what grpc is to dial, and Options how, on top of the dialer's
	// own.
	Target  string
	Options []grpc.DialOption
	// Routed says that the plane's interceptors wait, retry and give failures
	// their class as a router does, so that what they return stands as it is.
	// Otherwise the dialer does that, as on a channel to a router.
	Routed bool
}

// routedUnary is a grpc.UnaryClientInterceptor for channels of which a plane
// says that they are routed: metadata and provenance, and nothing else.
func routedUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, _ = outgoing(ctx)
	var trailer metadata.MD
	err := invoke(ctx, method, req, reply, cc, append(opts[:len(opts):len(opts)], grpc.Trailer(&trailer))...)
	collect(ctx, ParseProvenance(trailer))
	return err
}

// routedStream is the same for streams.
func routedStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, _ = outgoing(ctx)
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &routedClientStream{reporting: reporting{ClientStream: s, ctx: ctx}}, nil
}

// routedClientStream reports the trailers of a stream once it has ended.
type routedClientStream struct{ reporting }

func (s *routedClientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		s.report()
	}
	return err
}
