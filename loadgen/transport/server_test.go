package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// service is gRPC's interoperability service, and does what a call's metadata
// "do" says.
type service struct {
	testpb.UnimplementedTestServiceServer
	hung      chan struct{} // one for each call that hangs
	cancelled chan struct{} // one for each call that was cancelled while it hung
}

func newService() *service {
	return &service{hung: make(chan struct{}, 10_000), cancelled: make(chan struct{}, 10_000)}
}

func (s *service) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	deadline, announced := ctx.Deadline()
	left := "none"
	if announced {
		left = strconv.FormatInt(time.Until(deadline).Milliseconds(), 10)
	}
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-left-ms", left, "x-authority", first(md, ":authority"), "x-said", first(md, "x-say")))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("bb-route", "live"))
	switch do := first(md, "do"); do {
	case "":
	case "hang":
		s.hung <- struct{}{}
		<-ctx.Done()
		s.cancelled <- struct{}{}
		return nil, ctx.Err()
	default:
		n, _ := strconv.Atoi(do)
		return nil, status.Error(codes.Code(n), "as asked: 100 % of it – é")
	}
	return &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, in.GetResponseSize())}, Username: string(in.GetPayload().GetBody())}, nil
}

func (s *service) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
	for _, p := range in.GetResponseParameters() {
		if err := out.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, p.GetSize())}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) StreamingInputCall(in testpb.TestService_StreamingInputCallServer) error {
	total := 0
	for {
		m, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return in.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		total += len(m.GetPayload().GetBody())
	}
}

func first(md metadata.MD, name string) string {
	if v := md.Get(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve starts a server; it is stopped with the test.
func serve(t *testing.T, s *service, address string, o ...grpc.ServerOption) (*grpc.Server, string) {
	t.Helper()
	l := listen(t, address)
	return serveOn(t, s, l, o...), l.Addr().String()
}

// serveOn starts a server on a listener.
func serveOn(t *testing.T, s *service, l net.Listener, o ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(o...)
	testpb.RegisterTestServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // The end of the test ends it.
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return server
}

func withTLS(certificate tls.Certificate) grpc.ServerOption {
	return grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}}))
}

// serveHTTP is a server of HTTP/1.1 and HTTP/2 in clear that answers as the path
// says.
func serveHTTP(t *testing.T) string {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		code, _ := strconv.Atoi(r.URL.Path[1:])
		w.Header().Set("bb-route", "stale")
		w.WriteHeader(code)
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("content-type"), r.Header.Get("x-say"), body)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return l.Addr().String()
}
