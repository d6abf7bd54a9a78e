package admin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/platform/router"
	"breakbank/platform/rpc"
)

// stub is a router that says what it is told.
type stub struct {
	status  router.Status
	metrics router.Metrics
	ready   chan struct{}
}

func (s *stub) Status() router.Status   { return s.status }
func (s *stub) Metrics() router.Metrics { return s.metrics }
func (s *stub) Ready() <-chan struct{}  { return s.ready }

func newStub() *stub {
	latency := router.Latency{Count: 4, Sum: 40 * time.Millisecond, Buckets: []router.LatencyBucket{
		{AtMost: time.Millisecond, Count: 2}, {AtMost: 2 * time.Millisecond, Count: 3},
	}}
	return &stub{
		ready: make(chan struct{}),
		status: router.Status{
			Synced: true, Source: "apiserver 127.0.0.1:8001", Revision: 42, Names: 2, LastHeardAt: time.Now(),
			Requests: 7, Attempts: 8, EtcdReads: 1, Detail: "watching <apiserver>",
		},
		metrics: router.Metrics{
			Services: []router.ServiceMetrics{
				{
					Name: "ledger", Requests: 5, Attempts: 6, Retries: 1, Refused: 0, Ejections: 2, Active: 1,
					Codes: map[codes.Code]int64{codes.OK: 3, codes.Aborted: 1}, Latency: latency,
					Endpoints: []router.EndpointMetrics{
						{Addr: "10.0.0.1:80", Instance: "ledger-1", State: router.EndpointUsable, Active: 1},
						{Addr: "10.0.0.2:80", Instance: "ledger-2", State: router.EndpointEjected},
					},
				},
				{Name: "unused", Codes: map[codes.Code]int64{}},
			},
			Unrouted: router.ServiceMetrics{Requests: 2, Refused: 2, Codes: map[codes.Code]int64{codes.Unavailable: 2}},
			Routes:   map[rpc.Route]int64{rpc.RouteLive: 4, rpc.RouteStale: 1},
			Waiting:  3, Connections: 9,
		},
	}
}

var facts = Facts{
	Build: "v1.2.3", PID: 77, Node: "a1", Zone: "a", Listen: "127.0.0.1:4140",
	Config: "strategy: p2c-ewma\n", StartedAt: time.Now(),
}

func get(t *testing.T, h http.Handler, path string) (code int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestHealthAndReadiness(t *testing.T) {
	s := newStub()
	a := New(s, facts)
	want := func(path string, code int, says string) {
		t.Helper()
		if got, body := get(t, a, path); got != code || !strings.Contains(body, says) {
			t.Errorf("%s: %d %q, want %d %q", path, got, body, code, says)
		}
	}
	want("/healthz", http.StatusOK, "ok")
	want("/readyz", http.StatusServiceUnavailable, "no table yet: watching")
	close(s.ready)
	want("/readyz", http.StatusOK, "ok")
	a.Drain()
	want("/readyz", http.StatusServiceUnavailable, "draining")
	want("/healthz", http.StatusOK, "ok")
	want("/nothing", http.StatusNotFound, "")
	want("/debug/pprof/", http.StatusOK, "goroutine")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestPage(t *testing.T) {
	s := newStub()
	close(s.ready)
	code, page := get(t, New(s, facts), "/")
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, page)
	}
	for _, want := range []string{
		"127.0.0.1:4140", "ready", "v1.2.3", "node a1", "zone a", "process 77",
		"apiserver 127.0.0.1:8001", "synced", "watching &lt;apiserver&gt;", ">42<",
		"ledger", "10.0.0.1:80", "ledger-2", "ejected", "Aborted 1, OK 3", "≤ 1 ms", "≤ 4 ms", "no instance",
		"live 4, stale 1", "7 in 8 attempts; 1 under way on 9 connections, 3 waiting", "strategy: p2c-ewma",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("does not say %q", want)
		}
	}
	for _, elsewhere := range []string{"http://", "https://", "<script", "src="} {
		if strings.Contains(page, elsewhere) {
			t.Errorf("needs something from elsewhere: %q", elsewhere)
		}
	}
}

func TestStatusIsJSON(t *testing.T) {
	s := newStub()
	_, body := get(t, New(s, facts), "/status")
	var v view
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if v.Phase != "starting" || v.PID != 77 || v.Discovery.Revision != 42 || v.Streams != 1 || v.Unrouted != 2 || v.Discovery.AgeS == nil {
		t.Errorf("said %+v", v)
	}
	if len(v.Services) != 2 || v.Services[0].P99Ms != 4 || v.Services[0].Codes["OK"] != 3 || v.Services[0].Endpoints[1].State != "ejected" {
		t.Errorf("services %+v", v.Services)
	}
	s.status.LastHeardAt = time.Time{}
	if _, body := get(t, New(s, facts), "/status"); !strings.Contains(body, `"age_s": null`) {
		t.Errorf("a source never heard has an age: %s", body)
	}
}
