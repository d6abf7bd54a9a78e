package router

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestIsServiceName(t *testing.T) {
	for authority, want := range map[string]bool{
		"ledger": true, "ledger.payments": true, "api.example.com": true,
		"": false, "localhost": false, "127.0.0.1": false, "127.0.0.1:4140": false, "[::1]:4140": false,
		"router:4140": false,
	} {
		if got := isServiceName(authority); got != want {
			t.Errorf("%q: %v", authority, got)
		}
	}
}

// A caller that names no service gets the default; one that names a service
// gets that, or nothing, but never another's.
func TestDefaultService(t *testing.T) {
	for _, plane := range ProxyPlanes() {
		t.Run(plane, func(t *testing.T) {
			registry := newRegistryStub(t)
			b, other := startBackend(t, "echo-1"), startBackend(t, "web-1")
			b.unary = func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				md, _ := metadata.FromIncomingContext(ctx)
				if got := md.Get(":authority"); len(got) != 1 || got[0] != "echo" {
					t.Errorf("the instance is called %q", got)
				}
				return &testpb.SimpleResponse{Username: "echo-1"}, nil
			}
			registry.set("echo", b.instance())
			registry.set("web.example.com", other.instance())
			r, addr := startRouter(t, registry, "{binding_timeout: 50ms, dataplane: "+plane+"}")
			r.table.defaultService = "echo"
			<-r.Ready()
			for authority, want := range map[string]string{
				"echo": "echo-1", addr: "echo-1", "localhost:1": "echo-1", "router.example.com:4140": "echo-1",
				"web.example.com": "web-1", "ledger": "", "ledger.payments": "",
			} {
				out, err := dialRouter(t, addr, authority).UnaryCall(t.Context(), ask("x"))
				if want == "" && status.Code(err) != codes.Unavailable || want != "" && err != nil || out.GetUsername() != want {
					t.Errorf("%s: answered by %q, %v; want %q", authority, out.GetUsername(), err, want)
				}
			}
		})
	}
}
