package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// backend is a real grpc-go server with gRPC's own interop service. What it
// does is in its hooks; without one it echoes.
type backend struct {
	testpb.UnimplementedTestServiceServer
	name   string
	addr   string
	server *grpc.Server
	calls  atomic.Int64
	unary  func(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error)
}

func startBackend(t *testing.T, name string) *backend {
	t.Helper()
	return startBackendOn(t, name, listen(t))
}

func startBackendOn(t *testing.T, name string, l net.Listener) *backend {
	t.Helper()
	b := &backend{name: name, addr: l.Addr().String()}
	b.server = grpc.NewServer(grpc.WaitForHandlers(true))
	testpb.RegisterTestServiceServer(b.server, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.server.Serve(l)
	}()
	t.Cleanup(func() {
		b.server.Stop()
		<-done
	})
	return b
}

func (b *backend) instance() instance { return instance{b.name, b.addr} }

func (b *backend) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	b.calls.Add(1)
	if b.unary != nil {
		return b.unary(ctx, in)
	}
	_ = grpc.SetTrailer(ctx, metadata.Pairs("bb-instance", b.name))
	return &testpb.SimpleResponse{Payload: in.GetPayload(), Username: b.name}, nil
}

// StreamingInputCall counts bytes.
func (b *backend) StreamingInputCall(stream testpb.TestService_StreamingInputCallServer) error {
	b.calls.Add(1)
	sum := 0
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)})
		}
		if err != nil {
			return err
		}
		sum += len(in.GetPayload().GetBody())
	}
}

// StreamingOutputCall sends a message of each size asked for.
func (b *backend) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, stream testpb.TestService_StreamingOutputCallServer) error {
	b.calls.Add(1)
	for _, p := range in.GetResponseParameters() {
		out := &testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, p.GetSize())}}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
	return fail(in.GetResponseStatus())
}

// FullDuplexCall sends its headers first, and then answers each message
// before it reads the next.
func (b *backend) FullDuplexCall(stream testpb.TestService_FullDuplexCallServer) error {
	b.calls.Add(1)
	md, _ := metadata.FromIncomingContext(stream.Context())
	if err := stream.SendHeader(metadata.Pairs("echo", fmt.Sprint(md.Get("ask")))); err != nil {
		return err
	}
	stream.SetTrailer(metadata.Pairs("last", "word"))
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fail(in.GetResponseStatus()); err != nil {
			return err
		}
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

func fail(s *testpb.EchoStatus) error {
	if s.GetCode() == 0 {
		return nil
	}
	return status.Error(codes.Code(s.GetCode()), s.GetMessage())
}

// dialRouter returns a client whose :authority is a service's name.
func dialRouter(t *testing.T, addr, service string) testpb.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithAuthority(service),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// Deadlines of the tests are not for this connection.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn.Connect()
	for s := conn.GetState(); s != connectivity.Ready; s = conn.GetState() {
		if !conn.WaitForStateChange(ctx, s) {
			t.Fatalf("the router at %s takes no connection", addr)
		}
	}
	return testpb.NewTestServiceClient(conn)
}

func ask(body string) *testpb.SimpleRequest {
	return &testpb.SimpleRequest{Payload: &testpb.Payload{Body: []byte(body)}}
}
