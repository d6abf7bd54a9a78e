package load_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// unary is the method that most tests call.
const unary = "grpc.testing.TestService/UnaryCall"

// server is a grpc-go server with reflection.
type server struct {
	testpb.UnimplementedTestServiceServer
	grpc    *grpc.Server
	address string
	calls   atomic.Int64
	// failEach has every so-manieth call fail; 0 none.
	failEach int64
	// holds is how long each call takes at least.
	holds time.Duration
	// user and token are what the last request said.
	user  atomic.Pointer[string]
	token atomic.Pointer[string]
}

// serve starts one for a test.
func serve(t *testing.T, s *server, o ...grpc.ServerOption) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.grpc, s.address = grpc.NewServer(o...), l.Addr().String()
	testpb.RegisterTestServiceServer(s.grpc, s)
	reflection.Register(s.grpc)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.grpc.Serve(l)
	}()
	t.Cleanup(func() { s.grpc.Stop(); <-done })
	return s
}

func (s *server) UnaryCall(ctx context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	n := s.calls.Add(1)
	user := string(r.GetPayload().GetBody())
	s.user.Store(&user)
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("x-token")) > 0 {
		s.token.Store(&md.Get("x-token")[0])
	}
	if s.holds > 0 {
		select {
		case <-time.After(s.holds):
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	if s.failEach > 0 && n%s.failEach == 0 {
		return nil, status.Error(codes.ResourceExhausted, "no more cups")
	}
	return &testpb.SimpleResponse{}, nil
}

func (s *server) StreamingOutputCall(r *testpb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	for range r.GetResponseParameters() {
		if err := stream.Send(&testpb.StreamingOutputCallResponse{}); err != nil {
			return err
		}
	}
	return nil
}

// certificate makes a certificate for 127.0.0.1 that signs itself, and the file
// that holds it.
func certificate(t *testing.T) (credentials.TransportCredentials, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return credentials.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}), file
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
