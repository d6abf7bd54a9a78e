package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/rpc"
	"breakbank/platform/telemetry/telemetrytest"
	bookv1 "breakbank/proto/book/v1"
)

func TestRequestIDsThatAreTaken(t *testing.T) {
	for given, taken := range map[string]bool{
		"": false, "9f86d081884c7d65": true, "scheme:2017-10-27_A.1": true, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false, "two words": false, "line\nbreak": false, `"quoted"`: false, "ünicode": false, "\x00": false,
	} {
		id := rpc.RequestIDFor(given)
		if (id == given) != taken {
			t.Errorf("%q became %q", given, id)
		}
		if !taken && len(id) != 16 {
			t.Errorf("made %q", id)
		}
	}
	if first, second := rpc.RequestIDFor(""), rpc.RequestIDFor(""); first == second {
		t.Error("two requests have one id")
	}
}

func TestRequestIDInAContext(t *testing.T) {
	ctx := t.Context()
	if id := rpc.RequestID(ctx); id != "" {
		t.Errorf("nobody's request is %q", id)
	}
	ctx = rpc.WithRequestID(ctx, "outer")
	ctx, collector := rpc.WithProvenance(ctx)
	if id := rpc.RequestID(ctx); id != "outer" {
		t.Errorf("gathering provenance made it %q", id)
	}
	ctx = rpc.WithRequestID(ctx, "inner")
	if id := rpc.RequestID(ctx); id != "inner" {
		t.Errorf("it is %q", id)
	}
	rpc.MarkFallback(ctx)
	if route := collector.Provenance().Route; route != rpc.RouteFallback {
		t.Errorf("under another id provenance is lost: %q", route)
	}
}

// heard is a service that says under which id it was asked.
type heard struct {
	ledger
	mu  sync.Mutex
	ids []string
}

func (h *heard) Apply(ctx context.Context, req *bookv1.ApplyRequest) (*bookv1.ApplyResponse, error) {
	h.mu.Lock()
	h.ids = append(h.ids, rpc.RequestID(ctx))
	h.mu.Unlock()
	return h.ledger.Apply(ctx, req)
}

func (h *heard) last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ids[len(h.ids)-1]
}

func serveHeard(t *testing.T, edge bool) (*heard, bookv1.BookServiceClient) {
	t.Helper()
	impl := &heard{}
	l := listen(t, "127.0.0.1:0")
	s := rpc.NewServer(rpc.ServerConfig{Service: "ledger", Instance: "ledger-1", Listener: l, Edge: edge})
	bookv1.RegisterBookServiceServer(s.Registrar(), impl)
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		s.Kill()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return impl, dial(t, "ledger", l.Addr().String())
}

// Who gave an id is not told it; who gave none, or one that is taken from
// nobody, is.
func TestServersTakeOrMakeIDs(t *testing.T) {
	for _, test := range []struct {
		name      string
		edge      bool
		md        []string
		want      string // "": a new one
		wantsTold bool
	}{
		{"a service, none given", false, nil, "", true},
		{"a service, given", false, []string{rpc.RequestIDMetadata, "a"}, "a", false},
		{"a service, given badly", false, []string{rpc.RequestIDMetadata, "a b"}, "", true},
		{"a service, from outside", false, []string{rpc.OutsideRequestID, "x"}, "", true},
		{"an edge, none given", true, nil, "", true},
		{"an edge, from outside", true, []string{rpc.OutsideRequestID, "x"}, "x", true},
		{"an edge, from outside, badly", true, []string{rpc.OutsideRequestID, "x y"}, "", true},
		{"an edge, both", true, []string{rpc.OutsideRequestID, "x", rpc.RequestIDMetadata, "a"}, "a", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			impl, client := serveHeard(t, test.edge)
			var trailer metadata.MD
			ctx := metadata.AppendToOutgoingContext(t.Context(), test.md...)
			if _, err := client.Apply(ctx, &bookv1.ApplyRequest{}, grpc.Trailer(&trailer)); err != nil {
				t.Fatal(err)
			}
			got := impl.last()
			if test.want != "" && got != test.want || test.want == "" && len(got) != 16 {
				t.Errorf("served as %q, want %q", got, test.want)
			}
			told := strings.Join(trailer.Get(rpc.RequestIDMetadata), ",")
			if test.wantsTold && told != got || !test.wantsTold && told != "" {
				t.Errorf("told %q", told)
			}
		})
	}
}

func TestTheIDGoesWithCallsMadeForTheRequest(t *testing.T) {
	impl, client := serveHeard(t, false)
	ctx := rpc.WithKey(rpc.WithRequestID(t.Context(), "tap"), "k")
	for range 2 {
		if _, err := client.Apply(ctx, &bookv1.ApplyRequest{}); err != nil || impl.last() != "tap" {
			t.Errorf("served as %q, %v", impl.last(), err)
		}
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	l.text.Reset()
	return text
}

func TestAccessLog(t *testing.T) {
	log := &lines{}
	impl := &ledger{apply: func(_ context.Context, n int64) error {
		if n == 2 {
			return status.Error(codes.NotFound, "no such account")
		}
		return nil
	}}
	l := listen(t, "127.0.0.1:0")
	s := rpc.NewServer(rpc.ServerConfig{
		Service: "ledger", Instance: "ledger-1", Listener: l, AccessLog: true, Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	bookv1.RegisterBookServiceServer(s.Registrar(), impl)
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	defer func() {
		s.Kill()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}()

	client := dial(t, "ledger", l.Addr().String())
	ctx := rpc.WithRequestID(t.Context(), "tap")
	for _, want := range []string{"OK", "NotFound"} {
		_, _ = client.Apply(ctx, &bookv1.ApplyRequest{})
		var got struct {
			Level, Msg, Service, Instance, Method, Code, Caller string
			RequestID                                           string `json:"request_id"`
			MS                                                  float64
		}
		if err := json.Unmarshal([]byte(log.take()), &got); err != nil {
			t.Fatal(err)
		}
		if got.Level != "INFO" || got.Msg != "call" || got.Service != "ledger" || got.Instance != "ledger-1" || got.Code != want ||
			got.Method != "book.v1.BookService/Apply" || got.RequestID != "tap" || got.Caller != "test/test-1" || got.MS <= 0 {
			t.Errorf("wrote %+v, want %s", got, want)
		}
	}
	_, _ = dial(t, "feed", l.Addr().String()).Apply(ctx, &bookv1.ApplyRequest{})
	if text := log.take(); !strings.Contains(text, `"code":"Unavailable"`) || !strings.Contains(text, `"refused":"wrong-service"`) {
		t.Errorf("of a call meant for another it says %q", text)
	}
}

// However busy a process is, its access log has a bound, and says what it left
// out.
func TestAccessLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		to := slog.New(slog.NewJSONHandler(log, nil))
		write := func(n int) int {
			for range n {
				rpc.LogCall(t.Context(), to, rpc.Call{Service: "ledger", Caller: strings.Repeat("x", 10_000)})
			}
			return strings.Count(log.take(), "\n")
		}
		time.Sleep(time.Hour) // past what other tests have written
		if n := write(350); n != 100 {
			t.Errorf("%d lines in one second", n)
		}
		time.Sleep(time.Second)
		rpc.LogCall(t.Context(), to, rpc.Call{Service: "ledger", Caller: strings.Repeat("x", 10_000)})
		text := log.take()
		if !strings.Contains(text, `"left_out":250`) || len(text) > 1000 {
			t.Errorf("the next line: %s", text)
		}
		if n := write(200); n != 99 {
			t.Errorf("%d more lines in the next second", n)
		}
	})
}

func TestMetrics(t *testing.T) {
	impl := &ledger{apply: func(_ context.Context, n int64) error {
		switch n {
		case 2:
			return status.Error(codes.Aborted, "lost")
		case 3:
			return context.DeadlineExceeded
		}
		return nil
	}}
	l := listen(t, "127.0.0.1:0")
	serve(t, "metered", "metered-1", l, impl)
	client := dial(t, "metered", l.Addr().String())
	for range 4 {
		_, _ = client.Apply(t.Context(), &bookv1.ApplyRequest{})
	}
	_, _ = dial(t, "feed", l.Addr().String()).Apply(t.Context(), &bookv1.ApplyRequest{})
	wrong := metadata.AppendToOutgoingContext(t.Context(), rpc.InstanceWantMetadata, "metered-7")
	_, _ = client.Apply(wrong, &bookv1.ApplyRequest{})
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	text := telemetrytest.Scrape(t, rpc.NewCollector())
	telemetrytest.Wants(t, text,
		`bb_service_requests_total{code="OK",method="book.v1.BookService/Apply",service="metered"} 2`,
		`bb_service_requests_total{code="Aborted",method="book.v1.BookService/Apply",service="metered"} 1`,
		`bb_service_requests_total{code="DeadlineExceeded",method="book.v1.BookService/Apply",service="metered"} 1`,
		`bb_service_request_duration_seconds_count{method="book.v1.BookService/Apply",service="metered"} 4`,
		`bb_service_request_duration_seconds_bucket{method="book.v1.BookService/Apply",service="metered",le="8.192"} 4`,
		`bb_service_requests_in_flight{service="metered"} 0`,
		`bb_service_refused_total{reason="wrong-service",service="metered"} 1`,
		`bb_service_refused_total{reason="wrong-instance",service="metered"} 1`,
	)
	if strings.Contains(text, `method="grpc.health`) {
		t.Error("health checks are counted as requests")
	}
}
