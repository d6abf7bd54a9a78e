package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

const (
	// answerMaxBytes bounds the size of an answer that may be asked for.
	answerMaxBytes = 4 << 20
	// echoWindowBytes is the flow control window of the echo service: fixed, so
	// that grpc-go does not probe for one.
	echoWindowBytes = 4 << 20
)

// echo is the service behind every peer: gRPC's own interoperability service,
// which answers a unary call with as many bytes as it asks for.
type echo struct {
	testpb.UnimplementedTestServiceServer
	body []byte
}

// UnaryCall implements testpb.TestServiceServer.
func (e *echo) UnaryCall(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	n := int(in.GetResponseSize())
	if n < 0 || n > len(e.body) {
		return nil, status.Errorf(codes.InvalidArgument, "an answer of %d bytes: it must have 0 to %d", n, len(e.body))
	}
	return &testpb.SimpleResponse{Payload: &testpb.Payload{Body: e.body[:n]}}, nil
}

// ServeEcho serves the echo service at every one of the addresses until ctx
// ends. They are its instances: they share a process, which the peers do not
// see.
func ServeEcho(ctx context.Context, addresses []string) error {
	server := grpc.NewServer(
		grpc.InitialWindowSize(echoWindowBytes),
		grpc.InitialConnWindowSize(echoWindowBytes),
	)
	testpb.RegisterTestServiceServer(server, &echo{body: make([]byte, answerMaxBytes)})
	var serving sync.WaitGroup
	var listeners []net.Listener
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return fmt.Errorf("serve echo: %w", err)
		}
		listeners = append(listeners, listener)
	}
	errs := make([]error, len(listeners))
	for i, listener := range listeners {
		serving.Go(func() {
			if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				errs[i] = fmt.Errorf("serve echo: %w", err)
			}
		})
	}
	<-ctx.Done()
	server.Stop()
	serving.Wait()
	return errors.Join(errs...)
}
