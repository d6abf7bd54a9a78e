package router

import (
	"context"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
)

func TestLatencyBuckets(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-1: 0, 0: 0, 1: 0, latencyFirst: 0, latencyFirst + 1: 1, 2 * latencyFirst: 1, 2*latencyFirst + 1: 2,
		latencyFirst << (latencyBuckets - 2): latencyBuckets - 2, latencyFirst<<(latencyBuckets-2) + 1: latencyBuckets - 1,
		math.MaxInt64: latencyBuckets - 1,
	} {
		if got := latencyBucket(d); got != want {
			t.Errorf("%v is in bucket %d, want %d", d, got, want)
		}
	}
}

func TestServiceMetricsAddUp(t *testing.T) {
	var m serviceMetrics
	for _, took := range []time.Duration{0, latencyFirst, 3 * latencyFirst, time.Hour} {
		m.Request()
		m.Attempt()
		m.Done(codes.OK, took)
	}
	m.Request() // and is under way
	m.Done(codes.Code(99), 0)
	m.Request()
	a := m.snapshot("a")
	if a.Requests != 6 || a.Active != 1 || a.Attempts != 4 || a.Codes[codes.OK] != 4 || a.Codes[codes.Unknown] != 1 {
		t.Errorf("counted %+v", a)
	}
	if l := a.Latency; l.Count != 5 || l.Buckets[0].Count != 3 || l.Buckets[2].Count != 4 || l.Buckets[len(l.Buckets)-1].Count != 4 {
		t.Errorf("latency %+v", l)
	}
	b := a
	b.Add(a)
	if b.Requests != 12 || b.Codes[codes.OK] != 8 || b.Latency.Count != 10 || b.Latency.Buckets[0].Count != 6 {
		t.Errorf("twice that is %+v", b)
	}
	if a.Codes[codes.OK] != 4 || a.Latency.Buckets[0].Count != 3 {
		t.Errorf("adding changed what was added: %+v", a)
	}
}

func TestMetricsAllocateNothing(t *testing.T) {
	var m serviceMetrics
	if n := testing.AllocsPerRun(100, func() {
		m.Request()
		m.Attempt()
		m.Done(codes.OK, time.Millisecond)
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

// TestMetrics follows requests of every kind through every data plane into the
// counters.
func TestMetrics(t *testing.T) {
	for _, plane := range ProxyPlanes() {
		t.Run(plane, func(t *testing.T) {
			registry := newRegistryStub(t)
			b := startBackend(t, "echo-1")
			registry.set("echo", b.instance())
			registry.set("gone", instance{"gone-1", deadAddr(t)})
			r, addr := startRouter(t, registry, "{retries: {kind: none}, overlays: {fail_fast: {min: 1m, max: 1m}}, dataplane: "+plane+"}")
			<-r.Ready()
			entered, leave := make(chan struct{}), make(chan struct{})
			b.unary = func(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
				switch string(in.GetPayload().GetBody()) {
				case "wait":
					close(entered)
					<-leave
				case "no":
					return nil, status.Error(codes.FailedPrecondition, "no")
				}
				return &testpb.SimpleResponse{}, nil
			}
			call := func(service, body string, want codes.Code) {
				t.Helper()
				if _, err := dialRouter(t, addr, service).UnaryCall(t.Context(), ask(body)); status.Code(err) != want {
					t.Errorf("%s: %v, want %v", service, err, want)
				}
			}
			for range 3 {
				call("echo", "", codes.OK)
			}
			call("echo", "no", codes.FailedPrecondition)
			call("gone", "", codes.Unavailable)
			call("nowhere", "", codes.Unavailable)
			call("neither", "", codes.Unavailable)
			waited := make(chan error, 1)
			waiting := dialRouter(t, addr, "echo")
			go func() {
				_, err := waiting.UnaryCall(t.Context(), ask("wait"))
				waited <- err
			}()
			<-entered

			// A caller may have its answer a moment before it is counted.
			var echo, gone ServiceMetrics
			eventually(t, "the requests are counted", func() bool {
				m := r.Metrics()
				if len(m.Services) != 2 {
					return false
				}
				echo, gone = m.Services[0], m.Services[1]
				return echo.Codes[codes.OK] == 3 && echo.Codes[codes.FailedPrecondition] == 1 &&
					gone.Codes[codes.Unavailable] == 1 && m.Unrouted.Codes[codes.Unavailable] == 2
			})
			if echo.Name != "echo" || echo.Requests != 5 || echo.Active != 1 || echo.Attempts != 5 || echo.Refused != 0 || echo.Latency.Count != 4 {
				t.Errorf("echo: %+v", echo)
			}
			if len(echo.Endpoints) != 1 || echo.Endpoints[0] != (EndpointMetrics{b.addr, "echo-1", EndpointUsable, 1}) {
				t.Errorf("echo's endpoints: %+v", echo.Endpoints)
			}
			if gone.Requests != 1 || gone.Refused != 1 || len(gone.Endpoints) != 1 || gone.Endpoints[0].State != EndpointUnreachable {
				t.Errorf("gone: %+v", gone)
			}
			m := r.Metrics()
			if m.Unrouted.Requests != 2 || m.Unrouted.Refused != 2 || m.Unrouted.Active != 0 {
				t.Errorf("unrouted: %+v", m.Unrouted)
			}
			if m.Connections < 1 || m.Routes[rpc.RouteLive] < 4 {
				t.Errorf("%d connections, routes %v", m.Connections, m.Routes)
			}
			close(leave)
			if err := <-waited; err != nil {
				t.Error(err)
			}
			eventually(t, "nothing is under way", func() bool { return r.Metrics().Services[0].Active == 0 })
			r.Kill()
			eventually(t, "no connection is open", func() bool { return r.Metrics().Connections == 0 })
		})
	}
}
