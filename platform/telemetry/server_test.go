package telemetry_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// part counts what is executed, which a refused request never may be.
type part struct {
	adminv1.UnimplementedPartServiceServer
	executed atomic.Int64
}

func (p *part) EndPart(context.Context, *adminv1.EndPartRequest) (*adminv1.EndPartResponse, error) {
	p.executed.Add(1)
	return &adminv1.EndPartResponse{}, nil
}

// WatchPart goes on until its caller has had enough.
func (p *part) WatchPart(_ *adminv1.WatchPartRequest, stream grpc.ServerStreamingServer[adminv1.WatchPartResponse]) error {
	p.executed.Add(1)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if err := stream.Send(&adminv1.WatchPartResponse{Name: "etcd-a"}); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-tick.C:
		}
	}
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type listener struct {
	part    *part
	addr    string
	log     *logged
	posted  atomic.Int64
	unready atomic.Pointer[string]
}

// listenAdmin serves on loopback until the test ends.
func listenAdmin(t *testing.T, token string) *listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &listener{part: &part{}, addr: l.Addr().String(), log: &logged{}}
	calls := grpc.NewServer()
	adminv1.RegisterPartServiceServer(calls, a.part)
	s, err := telemetry.Serve(telemetry.Config{
		Listener: l, Token: token, Name: "etcd-a", Role: "etcd", Build: "v1",
		Ready: func() error {
			if why := a.unready.Load(); why != nil {
				return errors.New(*why)
			}
			return nil
		},
		Gatherer: telemetry.NewRegistry(), GRPC: calls,
		Handlers: map[string]http.Handler{"POST /settings": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.posted.Add(1)
			_, _ = io.Copy(w, r.Body)
		})},
		Log: slog.New(slog.NewJSONHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return a
}

func secret(t *testing.T) string {
	t.Helper()
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}

// exchange sends bytes as they are and returns the answer as it is.
func exchange(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// A server that has refused a large request may have closed before all of it
	// is written.
	_, _ = io.WriteString(conn, request)
	var answer bytes.Buffer
	_, _ = io.Copy(&answer, bufio.NewReader(conn))
	return answer.String()
}

// request writes a request of HTTP/1.1, after which the server closes.
func request(method, path, host, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, host)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// Whatever is wrong with a request: the right status, nothing executed, and
// neither the answer nor the log holds a token, the right one or another.
func TestRefusesOverHTTP(t *testing.T) {
	right, wrong := secret(t), secret(t)
	bearer := "Authorization: Bearer " + right
	long := strings.Repeat("x", 20<<10)
	large := strings.Repeat("x", 65<<10)
	tests := []struct {
		name    string
		open    bool // the listener has no token
		request string
		want    string // of the status line
	}{
		{name: "no token", request: request("GET", "/metrics", "h", ""), want: "401"},
		{name: "no token, a change", request: request("POST", "/settings", "h", "x"), want: "401"},
		{name: "no token, unknown path", request: request("GET", "/secret", "h", ""), want: "401"},
		{name: "wrong token", request: request("GET", "/metrics", "h", "", "Authorization: Bearer "+wrong), want: "401"},
		{name: "wrong token, a change", request: request("POST", "/settings", "h", "x", "Authorization: Bearer "+wrong), want: "401"},
		{name: "beginning of the token", request: request("GET", "/metrics", "h", "", "Authorization: Bearer "+right[:31]), want: "401"},
		{name: "more than the token", request: request("GET", "/metrics", "h", "", "Authorization: Bearer "+right+"0"), want: "401"},
		{name: "empty token", request: request("GET", "/metrics", "h", "", "Authorization: Bearer "), want: "401"},
		{name: "token in the wrong scheme", request: request("GET", "/metrics", "h", "", "Authorization: Basic "+right), want: "401"},
		{name: "token without a scheme", request: request("GET", "/metrics", "h", "", "Authorization: "+right), want: "401"},
		{name: "token in the query", request: request("GET", "/metrics?token="+right, "h", ""), want: "401"},
		{name: "token in a path to be cleaned", request: request("GET", "//"+right+"/..", "h", ""), want: "401"},
		{name: "two tokens", request: request("GET", "/metrics", "h", "", "Authorization: Bearer "+wrong, bearer), want: "401"},
		{name: "profile without a token", request: request("GET", "/debug/pprof/heap", "h", ""), want: "401"},
		{name: "the command line", request: request("GET", "/debug/pprof/cmdline", "h", "", bearer), want: "404"},
		{name: "a profile that takes too long", request: request("GET", "/debug/pprof/profile?seconds=3600", "h", "", bearer), want: "400"},
		{name: "a difference of profiles that takes too long", request: request("GET", "/debug/pprof/heap?seconds=3600", "h", "", bearer), want: "400"},
		{name: "over-long header", request: request("GET", "/metrics", "h", "", bearer, "X-Long: "+long), want: "431"},
		{name: "over-long token", request: request("GET", "/metrics", "h", "", "Authorization: Bearer "+wrong+long), want: "431"},
		{name: "over-long path", request: request("GET", "/"+long, "h", "", bearer), want: "431"},
		{name: "over-large body", request: request("POST", "/settings", "h", large, bearer), want: "413"},
		{name: "over-large body of no stated length", request: request("POST", "/settings", "h", "", bearer, "Transfer-Encoding: chunked") +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large), want: "413"},
		{name: "a length that is none", request: request("POST", "/settings", "h", "", bearer, "Content-Length: many"), want: "400"},
		{name: "broken chunks", request: request("POST", "/settings", "h", "", bearer, "Transfer-Encoding: chunked") + "zz\r\n" + right + "\r\n", want: "400"},
		{name: "unknown path", request: request("GET", "/nothing/"+wrong, "h", "", bearer), want: "404"},
		{name: "wrong method", request: request("DELETE", "/metrics", "h", "", bearer), want: "405"},
		{name: "wrong method, a page for all", request: request("POST", "/healthz", "h", ""), want: "405"},
		{name: "garbage", request: "\x00\x01\x02" + wrong + "\r\n\r\n", want: "400"},
		{name: "half a line", request: "GET /" + wrong + "\r\n\r\n", want: "400"},
		{name: "no host", request: "GET /metrics HTTP/1.1\r\n" + bearer + "\r\n\r\n", want: "400"},
		{name: "a header with a line break in its name", request: request("GET", "/metrics", "h", "", bearer, "X "+wrong+": 1"), want: "400"},
		{name: "gRPC over HTTP/1.1", request: request("POST", "/admin.v1.PartService/EndPart", "h", "x", bearer, "Content-Type: application/grpc"), want: "404"},

		{name: "a page that rebinds its name", open: true, request: request("POST", "/settings", "evil.example:80", "x"), want: "403"},
		{name: "a name that begins like loopback", open: true, request: request("GET", "/metrics", "127.0.0.1.evil.example", ""), want: "403"},
		{name: "an address of another machine", open: true, request: request("GET", "/metrics", "10.0.0.1", ""), want: "403"},
		{name: "an empty name", open: true, request: request("GET", "/healthz", "", ""), want: "403"},
		{name: "another site's page", open: true, request: request("POST", "/settings", "127.0.0.1", "x", "Sec-Fetch-Site: cross-site"), want: "403"},
		{name: "another site's page, an old browser", open: true, request: request("POST", "/settings", "127.0.0.1", "x", "Origin: http://evil.example"), want: "403"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := right
			if test.open {
				token = ""
			}
			a := listenAdmin(t, token)
			answer := exchange(t, a.addr, test.request)
			if line, _, _ := strings.Cut(answer, "\r\n"); !strings.HasPrefix(line, "HTTP/1.1 "+test.want+" ") {
				t.Errorf("answered %q, want %s", line, test.want)
			}
			if test.want == "401" {
				if !strings.Contains(answer, "\r\nWww-Authenticate: Bearer") {
					t.Errorf("does not say how to authenticate:\n%s", answer)
				}
				if _, body, _ := strings.Cut(answer, "\r\n\r\n"); body != "a token is needed\n" {
					t.Errorf("says more than that a token is needed: %q", body)
				}
			}
			if a.posted.Load()+a.part.executed.Load() != 0 {
				t.Error("it was executed")
			}
			leaksNothing(t, answer, a.log.String(), right, wrong)
		})
	}
}

func leaksNothing(t *testing.T, answer, log string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		for where, text := range map[string]string{"answer": answer, "log": log} {
			if strings.Contains(text, token) || strings.Contains(text, token[:16]) {
				t.Errorf("a token is in the %s:\n%s", where, text)
			}
		}
	}
}

func dialAdmin(t *testing.T, addr string, options ...grpc.DialOption) adminv1.PartServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr,
		append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return adminv1.NewPartServiceClient(conn)
}

func TestRefusesOverGRPC(t *testing.T) {
	right, wrong := secret(t), secret(t)
	with := func(token string) []grpc.DialOption {
		return []grpc.DialOption{grpc.WithPerRPCCredentials(telemetry.NewClientCredentials(token))}
	}
	tests := []struct {
		name    string
		open    bool
		options []grpc.DialOption
		md      []string
		size    int
		want    codes.Code
	}{
		{name: "the right token", options: with(right), want: codes.OK},
		{name: "no token", want: codes.Unauthenticated},
		{name: "no token, oversized", size: 5 << 20, want: codes.Unauthenticated},
		{name: "wrong token", options: with(wrong), want: codes.Unauthenticated},
		{name: "wrong scheme", md: []string{"authorization", "Basic " + right}, want: codes.Unauthenticated},
		{name: "two tokens", options: with(right), md: []string{"authorization", "Bearer " + wrong}, want: codes.Unauthenticated},
		{name: "token under another name", md: []string{"token", right}, want: codes.Unauthenticated},
		{name: "oversized message", options: with(right), size: 5 << 20, want: codes.ResourceExhausted},
		{name: "loopback asks for none", open: true, want: codes.OK},
		{name: "loopback, another's name", open: true, options: []grpc.DialOption{grpc.WithAuthority("evil.example")}, want: codes.PermissionDenied},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := right
			if test.open {
				token = ""
			}
			a := listenAdmin(t, token)
			ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), test.md...), 10*time.Second)
			defer cancel()
			client := dialAdmin(t, a.addr, test.options...)
			_, err := client.EndPart(ctx, &adminv1.EndPartRequest{Settings: strings.Repeat("x", test.size)})
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if done := a.part.executed.Load() == 1; done != (test.want == codes.OK) {
				t.Errorf("executed: %v", done)
			}
			leaksNothing(t, fmt.Sprint(err), a.log.String(), right, wrong)
		})
	}
}

// Garbage on a connection that has begun as HTTP/2 ends that connection, and
// nothing else.
func TestSurvivesGarbageInHTTP2(t *testing.T) {
	a := listenAdmin(t, "")
	for _, garbage := range []string{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\xff", 100),
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\xff\xff\xff\x01\x05\x00\x00\x00\x01", // a frame longer than any may be
		"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
	} {
		exchange(t, a.addr, garbage)
	}
	if _, err := dialAdmin(t, a.addr).EndPart(t.Context(), &adminv1.EndPartRequest{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// What is logged of refusals has a bound, whatever a stranger does.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	a := listenAdmin(t, secret(t))
	began := time.Now()
	for range 200 {
		exchange(t, a.addr, request("GET", "/metrics", "h", ""))
	}
	took := time.Since(began)
	if n := strings.Count(a.log.String(), "\n"); n == 0 || n > 2+int(took/time.Second) {
		t.Errorf("%d lines of 200 refusals in %v", n, took)
	}
}

func TestServesWhoMay(t *testing.T) {
	token := secret(t)
	a := listenAdmin(t, token)
	get := func(path string, headers ...string) string {
		return exchange(t, a.addr, request("GET", path, "etcd-a:7017", "", headers...))
	}
	bearer := "Authorization: bearer " + token // in any case
	for path, says := range map[string]string{
		"/healthz": "ok", "/readyz": "ok", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/metrics": `bb_build_info{name="etcd-a",role="etcd",version="v1"} 1`,
	} {
		if answer := get(path, bearer); !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(answer, says) {
			t.Errorf("%s does not say %q:\n%s", path, says, answer)
		}
	}
	if answer := exchange(t, a.addr, request("POST", "/settings", "etcd-a", "x=1", bearer)); !strings.HasSuffix(answer, "x=1") || a.posted.Load() != 1 {
		t.Errorf("a change: %s", answer)
	}
	// Who has no token learns that something is wrong, but not what.
	why := "member etcd-b is away"
	a.unready.Store(&why)
	if answer := get("/readyz"); !strings.HasPrefix(answer, "HTTP/1.1 503 ") || !strings.HasSuffix(answer, "\r\n\r\nnot ready\n") {
		t.Errorf("not ready, without a token:\n%s", answer)
	}
	if answer := get("/readyz", bearer); !strings.HasPrefix(answer, "HTTP/1.1 503 ") || !strings.HasSuffix(answer, "\r\n\r\nnot ready: "+why+"\n") {
		t.Errorf("not ready, with the token:\n%s", answer)
	}
}

// A browser may look at a loopback listener, under each of its names.
func TestLoopbackNames(t *testing.T) {
	a := listenAdmin(t, "")
	for _, host := range []string{"127.0.0.1:7017", "127.0.0.1", "localhost:7017", "LOCALHOST", "[::1]:7017", "[::1]", "127.1.2.3"} {
		if answer := exchange(t, a.addr, request("GET", "/metrics", host, "")); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Errorf("%s: %.40q", host, answer)
		}
	}
}

// Watches share the port with pages, and end with the server.
func TestWatchesAndCloses(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls := grpc.NewServer()
	adminv1.RegisterPartServiceServer(calls, &part{})
	s, err := telemetry.Serve(telemetry.Config{Listener: l, GRPC: calls})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := dialAdmin(t, l.Addr().String()).WatchPart(t.Context(), &adminv1.WatchPartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := watch.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	for err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestExposure(t *testing.T) {
	for addr, refused := range map[string]bool{
		"127.0.0.1:7017": false, "localhost:0": false, "[::1]:7017": false, "127.0.0.2:1": false,
		"0.0.0.0:7017": true, ":7017": true, "[::]:7017": true, "10.0.0.7:7017": true, "control:7017": true,
		"localhost.evil.example:1": true,
	} {
		err := telemetry.CheckExposure(addr, "")
		if (err != nil) != refused {
			t.Errorf("%s without a token: %v", addr, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %v", addr, err)
		}
		if err := telemetry.CheckExposure(addr, "a token"); err != nil {
			t.Errorf("%s with a token: %v", addr, err)
		}
	}
	if telemetry.CheckExposure("7017", "a token") == nil {
		t.Error("an address without a port was taken")
	}
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := telemetry.Serve(telemetry.Config{Listener: l}); err == nil {
		t.Error("served everybody without a token")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}

func TestCredentialsDoNotShow(t *testing.T) {
	c := telemetry.NewClientCredentials("sesame")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "sesame") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
	md, err := c.GetRequestMetadata(t.Context())
	if err != nil || md["authorization"] != "Bearer sesame" {
		t.Errorf("%v, %v", md, err)
	}
}
