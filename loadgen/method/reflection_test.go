package method

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

const unaryCall = "grpc.testing.TestService/UnaryCall"

func TestReflection(t *testing.T) {
	secure, trusting := certified(t)
	secret, err := ParseMetadata([]string{"Authorization: Bearer {{.Worker}}", "x-any-bin: AAEC"}, DataOptions{Worker: 7})
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]Source{
		"v1 and v1alpha": {Target: serve(t, withReflection)},
		"v1alpha":        {Target: serve(t, onlyAlpha)},
		"TLS":            {Target: serve(t, withReflection, secure), TLS: trusting},
		"metadata":       {Target: serve(t, withReflection, guarded("Bearer 7")), Metadata: secret},
		"authority":      {Target: serve(t, withReflection), Authority: "bank.example"},
		"one file at a time": {Target: serve(t, func(s *grpc.Server) {
			reflectionv1.RegisterServerReflectionServer(s, sparing{full: reflection.NewServerV1(reflection.ServerOptions{Services: s})})
		})},
	} {
		t.Run(what, func(t *testing.T) {
			methods, err := ResolveAll(context.Background(), s, []string{unaryCall, "grpc.testing.TestService.FullDuplexCall"})
			if err != nil {
				t.Fatal(err)
			}
			if methods[1].Kind() != "bidirectional streaming" || methods[0].Kind() != "unary" {
				t.Errorf("they are %s and %s", methods[0].Kind(), methods[1].Kind())
			}
			if _, err := ParseData(methods[0], `{"response_size": 5, "expect_compressed": {"value": true}}`, DataOptions{}); err != nil {
				t.Error(err)
			}
			if _, err := FromDescriptorSet(DescriptorSetOf(methods...), unaryCall); err != nil {
				t.Error(err)
			}
		})
	}
}

// everyService says that a server has the service of testdata/every.proto.
type everyService struct{}

func (everyService) GetServiceInfo() map[string]grpc.ServiceInfo {
	return map[string]grpc.ServiceInfo{"test.v1.Every": {}}
}

// sparingly serves the reflection of testdata/every.proto, file by file.
func sparingly(t *testing.T, hides string) (target string) {
	files := described(t, "One").files
	return serve(t, func(s *grpc.Server) {
		full := reflection.NewServerV1(reflection.ServerOptions{Services: everyService{}, DescriptorResolver: files})
		reflectionv1.RegisterServerReflectionServer(s, sparing{full: full, hides: hides})
	})
}

func TestReflectionWithoutTheWellKnownTypes(t *testing.T) {
	m, err := Resolve(context.Background(), Source{Target: sparingly(t, "")}, "test.v1.Every/One")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseData(m, `{"at": "2017-10-27T14:00:00Z", "takes": "1.5s", "part": {"name": "x"}}`, DataOptions{}); err != nil {
		t.Error(err)
	}
}

func TestReflectionWithAFileMissing(t *testing.T) {
	target := sparingly(t, "imported/part.proto")
	m, err := Resolve(context.Background(), Source{Target: target}, "test.v1.Every/One")
	if err != nil {
		t.Fatalf("a file that matters to one field only: %v", err)
	}
	if _, err := ParseData(m, `{"text": "x"}`, DataOptions{}); err != nil {
		t.Error(err)
	}
	_, err = ParseData(m, `{"part": {"name": "x"}}`, DataOptions{})
	refuses(t, err, "data of test.v1.Every/One: part: nothing describes test.imported.Part: pass --proto")
	_, err = Resolve(context.Background(), Source{Target: target}, "test.v1.Every/Old")
	refuses(t, err, target+": test.v1.Every/Old takes a test.imported.Old, which nothing describes")
}

func TestWhatIsWrongWithTargets(t *testing.T) {
	secure, trusting := certified(t)
	inClear, inTLS, silent := serve(t, withReflection), serve(t, withReflection, secure), serve(t, nil)
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}()
	secret, err := ParseMetadata([]string{"authorization: wrong"}, DataOptions{})
	if err != nil {
		t.Fatal(err)
	}
	closedDoor := serve(t, withReflection, guarded("right"))
	for _, c := range []struct {
		source       Source
		method, want string
	}{
		{Source{Target: closed}, unaryCall, "connect to " + closed + ": dial tcp " + closed + ": connect: connection refused"},
		{Source{Target: "127.0.0.1"}, unaryCall, "the address of the target must be host:port: address 127.0.0.1: missing port in address"},
		{Source{Target: silent}, unaryCall, silent + ": it offers no server reflection: pass --proto"},
		{Source{Target: inTLS}, unaryCall, inTLS + " speaks TLS, not cleartext: pass --tls"},
		{Source{Target: inClear, TLS: trusting}, unaryCall, inClear + " answers in clear, not in TLS: drop --tls"},
		{
			Source{Target: inTLS, TLS: &tls.Config{}},
			unaryCall,
			"connect to " + inTLS + " over TLS: tls: failed to verify certificate: x509: certificate signed by unknown authority",
		},
		{
			Source{Target: closedDoor, Metadata: secret},
			unaryCall,
			closedDoor + ": its reflection refused: Unauthenticated: who are you? (pass what it asks for as metadata, or --proto)",
		},
		{
			Source{Target: inClear},
			"grpc.testing.TestServise/UnaryCall",
			inClear + ": no service grpc.testing.TestServise; the services are grpc.testing.TestService",
		},
		{
			Source{Target: inClear},
			"grpc.testing.TestService/UnryCall",
			inClear + ": grpc.testing.TestService has no method UnryCall; its methods are UnaryCall, EmptyCall, " +
				"FullDuplexCall, HalfDuplexCall, CacheableUnaryCall, UnimplementedCall, StreamingInputCall, StreamingOutputCall",
		},
		{Source{Target: inClear}, "UnaryCall", `"UnaryCall" is not a method: say package.Service/Method`},
	} {
		_, err := Resolve(context.Background(), c.source, c.method)
		refuses(t, err, c.want)
	}

	// What a resolver says differs, but it is one line that names the host.
	_, err = Resolve(context.Background(), Source{Target: "no-such-host.invalid:1"}, unaryCall)
	if err == nil || !strings.Contains(err.Error(), "no-such-host.invalid") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %v", err)
	}
}

// mute accepts and says nothing, or what it is told to.
func mute(t *testing.T, says string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	var conns []net.Conn
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			_, _ = c.Write([]byte(says))
		}
	})
	t.Cleanup(func() {
		l.Close()
		work.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().String()
}

func TestTargetsThatAreNoServersOfGRPC(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	for _, says := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		target := mute(t, says)
		err := Reach(ctx, Source{Target: target})
		if err == nil || !strings.Contains(err.Error(), target) || strings.ContainsAny(err.Error(), "\n\u00a0") {
			t.Errorf("of one that says %q: %v", says, err)
		}
	}
}
