package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// echo is a handler that sends a request's body back as the answer's, as it
// comes in, coupled: what the peer does not take is not asked for.
type echo struct{ *recorder }

func newEcho() echo {
	r := newRecorder()
	r.silent.Store(true)
	r.onOpen = func(b *Batch, s *Stream) { s.SendHeaders(b, answerHeaders, false) }
	r.onData = func(b *Batch, s *Stream, p []byte, _ bool) { s.Consume(b, s.SendData(b, p, false)) }
	r.onSent = func(b *Batch, s *Stream, n int) { s.Consume(b, n) }
	return echo{r}
}

func (e echo) Headers(b *Batch, s *Stream, fields []hpack.HeaderField, end bool) {
	e.recorder.Headers(b, s, fields, end)
	if end {
		s.SendHeaders(b, answerTrailers, true)
	}
}

func (e echo) Data(b *Batch, s *Stream, p []byte, end bool) {
	e.recorder.Data(b, s, p, end)
	if end {
		s.SendHeaders(b, answerTrailers, true)
	}
}

// serveEcho serves on a listener, and returns its address.
func serveEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	var conns []*Conn
	accepting.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, NewServer(nc, Config{Handler: newEcho()}))
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().String()
}

// bodies are sizes around those of frames and windows.
var bodies = []int{0, 1, 100, frameMax - 5, frameMax, initialWindow, StreamWindow, StreamWindow + 1, 3 << 20}

// A grpc-go client: the answer to a request is the request.
func TestServesGRPC(t *testing.T) {
	conn, err := grpc.NewClient("passthrough:///"+serveEcho(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := testpb.NewTestServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var callers sync.WaitGroup
	for _, size := range bodies {
		callers.Go(func() {
			in := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: bytes.Repeat([]byte{7}, size)}}
			var out testpb.SimpleRequest // what is echoed is a request
			if err := conn.Invoke(ctx, testpb.TestService_UnaryCall_FullMethodName, in, &out); err != nil || !proto.Equal(in, &out) {
				t.Errorf("%d bytes: %v", size, err)
			}
		})
	}
	callers.Wait()
	stream, err := c.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := stream.Send(&testpb.StreamingOutputCallRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the stream: %v", err)
	}
}

// exchange sends a request with a body and waits for the answer to end.
func exchange(t *testing.T, c *Conn, h *recorder, fields []hpack.HeaderField, body []byte) *Stream {
	t.Helper()
	var b Batch
	s, err := c.Open(&b, nil, fields, false)
	if err != nil {
		t.Fatal(err)
	}
	s.SendData(&b, body, true)
	b.Flush()
	h.await(t, "the answer", func() bool { _, early := h.ended[s]; return h.whole[s] || early })
	if why, early := h.ended[s]; early {
		t.Fatalf("the answer ended early: %v", why)
	}
	return s
}

// grpcEcho is a server that answers with what it was asked.
type grpcEcho struct {
	testpb.UnimplementedTestServiceServer
}

func (grpcEcho) UnaryCall(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if c := in.GetResponseStatus(); c != nil {
		return nil, status.Error(codes.Code(c.GetCode()), c.GetMessage())
	}
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

// A grpc-go server.
func TestAsksGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	testpb.RegisterTestServiceServer(server, grpcEcho{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	defer serving.Wait()
	defer server.Stop()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h := newRecorder()
	c := NewClient(nc, Config{Handler: h})
	defer c.Close()
	fields := fieldsOf(":method", "POST", ":scheme", "http", ":path", testpb.TestService_UnaryCall_FullMethodName,
		":authority", "b", "content-type", "application/grpc", "te", "trailers")
	for _, size := range bodies {
		in := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, size)}}
		s := exchange(t, c, h, fields, message(t, in))
		last := h.headers[s][len(h.headers[s])-1]
		if last[0] != (hpack.HeaderField{Name: "grpc-status", Value: "0"}) {
			t.Errorf("%d bytes: %v", size, last)
		}
		if want := len(message(t, &testpb.SimpleResponse{Payload: in.GetPayload()})); h.bytes[s] != want {
			t.Errorf("%d bytes: the answer has %d bytes, want %d", size, h.bytes[s], want)
		}
	}
	s := exchange(t, c, h, fields, message(t, &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Code: 5, Message: "no"}}))
	if got := h.headers[s]; len(got) != 1 {
		t.Errorf("an answer of trailers only has %d header lists", len(got))
	}
}

// message is a message with gRPC's prefix.
func message(t *testing.T, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	n := len(body)
	return append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// The client of golang.org/x/net/http2.
func TestServesHTTP2(t *testing.T) {
	transport := &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	defer transport.CloseIdleConnections()
	addr := serveEcho(t)
	for _, size := range bodies {
		body := bytes.Repeat([]byte{7}, size)
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		if err != nil || !bytes.Equal(got, body) || answer.Trailer.Get("grpc-status") != "0" {
			t.Errorf("%d bytes: got %d, trailers %v, %v", size, len(got), answer.Trailer, err)
		}
		answer.Body.Close()
	}
}

// The server of golang.org/x/net/http2.
func TestAsksHTTP2(t *testing.T) {
	dialled, accepted := connect(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		(&http2.Server{}).ServeConn(accepted, &http2.ServeConnOpts{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Trailer", "grpc-status")
			_, _ = io.Copy(w, q.Body)
			w.Header().Set("grpc-status", "0")
		})})
	})
	defer serving.Wait()
	h := newRecorder()
	c := NewClient(dialled, Config{Handler: h})
	defer c.Close()
	for _, size := range bodies {
		s := exchange(t, c, h, requestFields(), make([]byte, size))
		if h.bytes[s] != size {
			t.Errorf("%d bytes: the answer has %d", size, h.bytes[s])
		}
	}
}
