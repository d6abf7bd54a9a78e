package router

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// The conformance suite: whatever passes between a grpc-go client and a
// grpc-go server passes through the router unchanged, on every path.
func TestConformance(t *testing.T) {
	for _, c := range conformance {
		for _, path := range paths {
			t.Run(c.name+"/"+path.name, func(t *testing.T) {
				registry := newRegistryStub(t)
				b := startBackend(t, "echo-1")
				registry.set("echo", b.instance())
				r, addr := startRouterOn(t, registry, path, "{strategy: round-robin}")
				<-r.Ready()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c.run(ctx, t, b, dialRouter(t, addr, "echo"))
			})
		}
	}
}

var conformance = []struct {
	name string
	run  func(context.Context, *testing.T, *backend, testpb.TestServiceClient)
}{
	{"unary", conformUnary},
	{"empty message", conformEmpty},
	{"4 MiB", conformLarge},
	{"metadata", conformMetadata},
	{"status and details", conformStatus},
	{"client stream", conformClientStream},
	{"server stream", conformServerStream},
	{"ping pong", conformPingPong},
	{"server speaks first", conformServerFirst},
	{"error mid-stream", conformErrorMidStream},
	{"deadline", conformDeadline},
	{"cancellation", conformCancel},
	{"many streams", conformManyStreams},
}

func conformUnary(ctx context.Context, t *testing.T, b *backend, c testpb.TestServiceClient) {
	out, err := c.UnaryCall(ctx, ask("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out.GetPayload().GetBody()); got != "hello" || out.GetUsername() != b.name {
		t.Errorf("answer %q from %q", got, out.GetUsername())
	}
}

func conformEmpty(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	if _, err := c.UnaryCall(ctx, &testpb.SimpleRequest{}); err != nil {
		t.Error(err)
	}
}

func conformLarge(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	in := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 4<<20)}}
	over := proto.Size(in) - 4<<20
	in.Payload.Body = bytes.Repeat([]byte{7}, 4<<20-over)
	if size := proto.Size(in); size != 4<<20 {
		t.Fatalf("the message is %d bytes", size)
	}
	out, err := c.UnaryCall(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.GetPayload().GetBody(), in.GetPayload().GetBody()) {
		t.Error("the message changed on the way")
	}
	in.Payload.Body = append(in.Payload.Body, 7)
	if _, err := c.UnaryCall(ctx, in); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one byte more: %v, want the server's own refusal", err)
	}
}

func conformMetadata(ctx context.Context, t *testing.T, b *backend, c testpb.TestServiceClient) {
	binary := string([]byte{0, 1, 0xff, 0xfe})
	b.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		if got := md.Get(":authority"); len(got) != 1 || got[0] != "echo" {
			t.Errorf(":authority is %q", got)
		}
		if got := md.Get("bb-instance-want"); len(got) != 1 || got[0] != b.name {
			t.Errorf("bb-instance-want is %q", got)
		}
		for _, name := range []string{"content-type", "grpc-accept-encoding"} {
			if got := md.Get(name); len(got) > 1 {
				t.Errorf("%s is doubled: %q", name, got)
			}
		}
		back := metadata.Pairs("x-bin", md.Get("x-bin")[0], "two", md.Get("two")[0], "two", md.Get("two")[1])
		_ = grpc.SetHeader(ctx, back)
		_ = grpc.SetTrailer(ctx, back)
		return &testpb.SimpleResponse{}, nil
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "x-bin", binary, "two", "1", "two", "2")
	var header, trailer metadata.MD
	if _, err := c.UnaryCall(ctx, ask(""), grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	for what, md := range map[string]metadata.MD{"header": header, "trailer": trailer} {
		if got := md.Get("x-bin"); len(got) != 1 || got[0] != binary {
			t.Errorf("%s x-bin is %q", what, got)
		}
		if got := md.Get("two"); len(got) != 2 || got[0] != "1" || got[1] != "2" {
			t.Errorf("%s two is %q", what, got)
		}
	}
	if got := header.Get("content-type"); len(got) != 1 || got[0] != "application/grpc" {
		t.Errorf("content-type is %q", got)
	}
	if trailer.Get("bb-route")[0] != "live" || trailer.Get("bb-attempts")[0] != "1" {
		t.Errorf("provenance is %v", trailer)
	}
}

func conformStatus(ctx context.Context, t *testing.T, b *backend, c testpb.TestServiceClient) {
	b.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		_ = grpc.SetHeader(ctx, metadata.Pairs("why", "frozen"))
		s, err := status.New(codes.FailedPrecondition, "nichts zu machen – 100%").WithDetails(&errdetails.ErrorInfo{Reason: "FROZEN"})
		if err != nil {
			t.Error(err)
		}
		return nil, s.Err()
	}
	var header metadata.MD
	_, err := c.UnaryCall(ctx, ask(""), grpc.Header(&header))
	s := status.Convert(err)
	if got := header.Get("why"); len(got) != 1 || got[0] != "frozen" {
		t.Errorf("the headers of an error are %v", header)
	}
	if s.Code() != codes.FailedPrecondition || s.Message() != "nichts zu machen – 100%" {
		t.Errorf("status is %v", s)
	}
	if len(s.Details()) != 1 || s.Details()[0].(*errdetails.ErrorInfo).GetReason() != "FROZEN" {
		t.Errorf("details are %v", s.Details())
	}
	if got := b.calls.Load(); got != 1 {
		t.Errorf("%d calls, a business error must not be retried", got)
	}
	// A server's own Unavailable is its answer, not a lost connection.
	b.unary = func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		return nil, status.Error(codes.Unavailable, "error reading from server: EOF")
	}
	_, err = c.UnaryCall(ctx, ask(""))
	if s := status.Convert(err); s.Code() != codes.Unavailable || s.Message() != "error reading from server: EOF" {
		t.Errorf("status is %v", s)
	}
}

func conformClientStream(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	stream, err := c.StreamingInputCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := stream.Send(&testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 10_000)}}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := stream.CloseAndRecv()
	if err != nil || out.GetAggregatedPayloadSize() != 1_000_000 {
		t.Errorf("%d bytes, %v", out.GetAggregatedPayloadSize(), err)
	}
}

func conformServerStream(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	in := &testpb.StreamingOutputCallRequest{}
	for i := range 200 {
		in.ResponseParameters = append(in.ResponseParameters, &testpb.ResponseParameters{Size: int32(i * 100)})
	}
	stream, err := c.StreamingOutputCall(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		out, err := stream.Recv()
		if err != nil || len(out.GetPayload().GetBody()) != i*100 {
			t.Fatalf("message %d: %d bytes, %v", i, len(out.GetPayload().GetBody()), err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("end of stream: %v", err)
	}
}

func conformPingPong(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		body := bytes.Repeat([]byte{byte(i)}, i)
		if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: body}}); err != nil {
			t.Fatal(err)
		}
		out, err := stream.Recv()
		if err != nil || !bytes.Equal(out.GetPayload().GetBody(), body) {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("end of stream: %v", err)
	}
	if got := stream.Trailer().Get("last"); len(got) != 1 || got[0] != "word" {
		t.Errorf("trailer is %v", stream.Trailer())
	}
}

func conformServerFirst(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	stream, err := c.FullDuplexCall(metadata.AppendToOutgoingContext(ctx, "ask", "first"))
	if err != nil {
		t.Fatal(err)
	}
	// Nothing has been sent but headers, and headers come back.
	header, err := stream.Header()
	if err != nil || header.Get("echo")[0] != "[first]" {
		t.Errorf("header %v, %v", header, err)
	}
}

func conformErrorMidStream(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	stream, err := c.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{
		ResponseParameters: []*testpb.ResponseParameters{{Size: 1}, {Size: 2}},
		ResponseStatus:     &testpb.EchoStatus{Code: int32(codes.Unavailable), Message: "enough"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "enough" {
		t.Errorf("end of stream: %v", err)
	}
}

func conformDeadline(ctx context.Context, t *testing.T, b *backend, c testpb.TestServiceClient) {
	const warm, patience = "warm", 500 * time.Millisecond
	left := make(chan time.Duration, 1)
	b.unary = func(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		if string(in.GetPayload().GetBody()) == warm {
			return &testpb.SimpleResponse{}, nil
		}
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	// The deadline is not for the router's connection.
	if _, err := c.UnaryCall(ctx, ask(warm)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.UnaryCall(short, ask(""))
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("status is %v", err)
	}
	select {
	case got := <-left:
		if got <= 0 || got > patience {
			t.Errorf("the server was given %v", got)
		}
	case <-ctx.Done():
		t.Error("the server was not asked")
	}
}

func conformCancel(ctx context.Context, t *testing.T, b *backend, c testpb.TestServiceClient) {
	entered, left := make(chan struct{}), make(chan struct{})
	b.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		close(entered)
		<-ctx.Done()
		close(left)
		return nil, ctx.Err()
	}
	cancelled, cancel := context.WithCancel(ctx)
	go func() {
		<-entered
		cancel()
	}()
	if _, err := c.UnaryCall(cancelled, ask("")); status.Code(err) != codes.Canceled {
		t.Errorf("status is %v", err)
	}
	select {
	case <-left:
	case <-ctx.Done():
		t.Error("the server was not told of the cancellation")
	}
}

func conformManyStreams(ctx context.Context, t *testing.T, _ *backend, c testpb.TestServiceClient) {
	const streams = 1000
	open := make([]testpb.TestService_FullDuplexCallClient, streams)
	for i := range open {
		stream, err := c.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		open[i] = stream
	}
	for _, stream := range open {
		if err := stream.Send(&testpb.StreamingOutputCallRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, stream := range open {
		if _, err := stream.Recv(); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		_ = stream.CloseSend()
	}
}
