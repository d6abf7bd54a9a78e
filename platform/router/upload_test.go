package router

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// sink takes whatever is sent to it.
type sink struct{ grpc.ClientStream }

func (sink) SendMsg(any) error { return nil }

// TestUploadKeepsNothingOnceAnswered: an attempt that has answered is the
// last, and what the caller has sent needs not be at hand for another.
func TestUploadKeepsNothingOnceAnswered(t *testing.T) {
	u := newUpload(nil, true)
	u.attach(sink{})
	send := func() { u.pass(message{data: mem.BufferSlice{mem.SliceBuffer("0123456789")}}, nil) }
	send()
	if u.bytes != 10 {
		t.Errorf("%d bytes are kept for another attempt", u.bytes)
	}
	u.settle()
	if u.bytes != 0 {
		t.Errorf("%d bytes are kept after the answer", u.bytes)
	}
	send()
	if u.bytes != 0 {
		t.Errorf("%d bytes of what came after the answer are kept", u.bytes)
	}
	if u.detach(true) {
		t.Error("it could be sent again")
	}
}

// TestSettleDoesNotWait: the caller's message may be waiting for a server that
// waits for its answer to be read.
func TestSettleDoesNotWait(t *testing.T) {
	u := newUpload(nil, true)
	u.mu.Lock()
	u.settle()
	u.mu.Unlock()
	u.attach(sink{})
	u.pass(message{data: mem.BufferSlice{mem.SliceBuffer("x")}}, nil)
	if u.bytes != 0 {
		t.Errorf("%d bytes are kept", u.bytes)
	}
}

// TestNoMessageIsInternal: a unary call that ends well without a message is
// the server's fault, and must not look like an empty message.
func TestNoMessageIsInternal(t *testing.T) {
	l := listen(t)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, in grpc.ServerStream) error {
		for {
			if err := in.RecvMsg(&testpb.Empty{}); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	defer func() { server.Stop(); <-done }()
	registry := newRegistryStub(t)
	registry.set("echo", instance{"echo-1", l.Addr().String()})
	r, addr := startRouter(t, registry, "{}")
	<-r.Ready()
	if _, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x")); status.Code(err) != codes.Internal {
		t.Errorf("status is %v", err)
	}
}
