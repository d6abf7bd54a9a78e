package rpc

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// asTransport is what a handler's trailers are set on.
type asTransport struct{}

func (asTransport) Method() string                  { return "/breakbank.test.Echo/Say" }
func (asTransport) SetHeader(metadata.MD) error     { return nil }
func (asTransport) SendHeader(metadata.MD) error    { return nil }
func (asTransport) SetTrailer(tr metadata.MD) error { return nil }

// BenchmarkServed is what a server's own code costs around a handler that does
// nothing: identity, provenance, load, metrics, request id.
func BenchmarkServed(b *testing.B) {
	s := NewServer(ServerConfig{Service: "ledger", Instance: "ledger-v1-0-a1"})
	md := metadata.MD{
		":authority":         {"ledger"},
		"content-type":       {"application/grpc"},
		"user-agent":         {"cardauth/cardauth-v1-0-a1 grpc-go/1.85.0"},
		KeyMetadata:          {"5f1e2a3b-tap-000000001"},
		InstanceWantMetadata: {"ledger-v1-0-a1"},
		RequestIDMetadata:    {"0123456789abcdef"},
	}
	ctx := grpc.NewContextWithServerTransportStream(context.Background(), asTransport{})
	ctx = metadata.NewIncomingContext(ctx, md)
	info := &grpc.UnaryServerInfo{FullMethod: "/breakbank.test.Echo/Say"}
	handle := func(ctx context.Context, req any) (any, error) { return req, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.unary(ctx, nil, info, handle); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOutgoing is what a client's own code adds to a call's context, made
// while a request is served.
func BenchmarkOutgoing(b *testing.B) {
	ctx, _ := serving(context.Background(), "0123456789abcdef")
	ctx = WithKey(ctx, "5f1e2a3b-tap-000000001")
	b.ReportAllocs()
	for b.Loop() {
		outgoing(ctx)
	}
}
