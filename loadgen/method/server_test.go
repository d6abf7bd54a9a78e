package method

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// serve is a real server of grpc-go with the service of gRPC's interoperability
// tests.
func serve(t testing.TB, register func(s *grpc.Server), options ...grpc.ServerOption) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
	if register != nil {
		register(s)
	}
	var work sync.WaitGroup
	work.Go(func() {
		if err := s.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		s.Stop()
		work.Wait()
	})
	return l.Addr().String()
}

func withReflection(s *grpc.Server) { reflection.Register(s) }

// certified is a certificate for this machine, and a client's configuration that
// trusts it.
func certified(t testing.TB) (server grpc.ServerOption, client *tls.Config) {
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
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})),
		&tls.Config{RootCAs: roots}
}

// seen keeps what arrived of a load: what asks the reflection is left out.
type seen struct {
	mu sync.Mutex
	arrived
}

type arrived struct {
	metadata []metadata.MD
	messages []proto.Message
	perCall  []int // messages of each stream
}

// all is what has arrived.
func (k *seen) all() arrived {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.arrived
}

func (k *seen) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			k.note(ctx)
			k.mu.Lock()
			k.messages = append(k.messages, proto.Clone(request.(proto.Message)))
			k.mu.Unlock()
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if strings.HasPrefix(info.FullMethod, "/grpc.reflection.") {
				return next(service, s)
			}
			k.note(s.Context())
			counted := &countedStream{ServerStream: s, seen: k}
			err := next(service, counted)
			k.mu.Lock()
			k.perCall = append(k.perCall, counted.received)
			k.mu.Unlock()
			return err
		}),
	}
}

func (k *seen) note(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	k.mu.Lock()
	k.metadata = append(k.metadata, md)
	k.mu.Unlock()
}

type countedStream struct {
	grpc.ServerStream
	seen     *seen
	received int
}

func (s *countedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.received++
		s.seen.mu.Lock()
		s.seen.messages = append(s.seen.messages, proto.Clone(m.(proto.Message)))
		s.seen.mu.Unlock()
	}
	return err
}

// onlyAlpha offers reflection as servers did before 2023.
func onlyAlpha(s *grpc.Server) {
	reflectionv1alpha.RegisterServerReflectionServer(s, reflection.NewServer(reflection.ServerOptions{Services: s}))
}

// sparing answers with one file at a time, and knows nothing of the well-known
// types: as other languages' servers do.
type sparing struct {
	reflectionv1.UnimplementedServerReflectionServer
	full reflectionv1.ServerReflectionServer
	// hides is a file that it does not know either.
	hides string
}

func (p sparing) ServerReflectionInfo(s reflectionv1.ServerReflection_ServerReflectionInfoServer) error {
	return p.full.ServerReflectionInfo(&sparingStream{s, p.hides})
}

type sparingStream struct {
	reflectionv1.ServerReflection_ServerReflectionInfoServer
	hides string
}

func (s *sparingStream) Send(r *reflectionv1.ServerReflectionResponse) error {
	name := r.GetOriginalRequest().GetFileByFilename()
	if f := r.GetFileDescriptorResponse(); f != nil {
		f.FileDescriptorProto = f.GetFileDescriptorProto()[:1]
	}
	if name == s.hides && name != "" || len(name) > 6 && name[:6] == "google" {
		r.MessageResponse = &reflectionv1.ServerReflectionResponse_ErrorResponse{ErrorResponse: &reflectionv1.ErrorResponse{
			ErrorCode: int32(codes.NotFound), ErrorMessage: "no such file",
		}}
	}
	return s.ServerReflection_ServerReflectionInfoServer.Send(r)
}

// guarded lets only those in who know the word.
func guarded(word string) grpc.ServerOption {
	return grpc.StreamInterceptor(func(service any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		if got := md.Get("authorization"); len(got) != 1 || got[0] != word {
			return status.Error(codes.Unauthenticated, "who are you?")
		}
		return next(service, s)
	})
}
