package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

func TestWhatIsRefused(t *testing.T) {
	g := start(t, serveAll(t, wholeBank()))
	aliases := new(strings.Builder)
	for i := range maxFields {
		fmt.Fprintf(aliases, "a%d: balance { balanceMinor } ", i)
	}
	for _, c := range []struct {
		name, query string
		status      int
	}{
		{"deep", `{ account(customerId: "c00042") ` + strings.Repeat("{ ... on Account ", maxDepth) + "{ balance { balanceMinor } }" + strings.Repeat("}", maxDepth) + " }", 400},
		{"wide", `{ account(customerId: "c00042") { ` + aliases.String() + "} }", 400},
		{"fragments of fragments", fragmentBomb(8, 20), 400},
		{"deferred", `{ account(customerId: "c00042") { ... @defer { balance { balanceMinor } } } }`, 400},
		{"deferred fragment", `{ account(customerId: "c00042") { ...f @defer } } fragment f on Account { balance { balanceMinor } }`, 400},
		{"many tokens", "{ account(customerId: \"c00042\") { balance { " + strings.Repeat("balanceMinor ", maxQueryTokens) + "} } }", 400},
		{"long", "{ account(customerId: \"" + strings.Repeat("c", maxBody) + "\") { balance { balanceMinor } } }", 413},
		{"fragment that contains itself", `{ account(customerId: "c00042") { ...f } } fragment f on Account { ...f }`, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			got := g.ask(t, c.query, nil)
			if got.status != c.status || len(got.Errors) == 0 || got.Errors[0].Extensions["code"] != "INVALID_ARGUMENT" {
				t.Errorf("status %d: %.300s", got.status, got.body)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("it took %v to refuse", took)
			}
		})
	}
	if got := g.post(t, []byte("{")); got.status != 400 || got.code(t) != "INVALID_ARGUMENT" {
		t.Errorf("half a body: %d %s", got.status, got.body)
	}
	if got := g.post(t, []byte("{}"), "Content-Type", "text/plain"); got.status != 415 || got.code(t) != "INVALID_ARGUMENT" {
		t.Errorf("plain text: %d %s", got.status, got.body)
	}
	if got := g.ask(t, appRefresh, map[string]any{"id": "c00042"}); len(got.Errors) != 0 {
		t.Errorf("an honest query is refused: %s", got.body)
	}
}

// fragmentBomb expands to wide^deep fields.
func fragmentBomb(deep, wide int) string {
	var q strings.Builder
	q.WriteString(`{ account(customerId: "c00042") { ...f0 } }`)
	for i := range deep {
		fmt.Fprintf(&q, " fragment f%d on Account { %s }", i, strings.Repeat(fmt.Sprintf("...f%d ", i+1), wide))
	}
	fmt.Fprintf(&q, " fragment f%d on Account { balance { balanceMinor } }", deep)
	return q.String()
}

func TestOneRequestTooManyIsToldSo(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	bankOf := wholeBank()
	balance := bankOf.balance
	bankOf.balance = func(ctx context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
		inside <- struct{}{}
		<-leave
		return balance(ctx, r)
	}
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: serveAll(t, bankOf), Service: "gateway", Instance: "gateway-v1-1-a1"})
	t.Cleanup(func() {
		if err := dialer.Close(); err != nil {
			t.Error(err)
		}
	})
	narrow := newEndpoint(backends{dialer}, "gateway-v1-1-a1", slog.New(slog.DiscardHandler))
	narrow.slots = make(chan struct{}, 1)
	server := httptest.NewServer(narrow)
	defer server.Close()
	g := client{server.URL}

	first := make(chan answer)
	go func() { first <- g.ask(t, appRefresh, map[string]any{"id": "c00042"}) }()
	<-inside
	if got := g.ask(t, appRefresh, map[string]any{"id": "c00042"}); got.status != 503 || got.code(t) != "RESOURCE_EXHAUSTED" {
		t.Errorf("the second: %d %s", got.status, got.body)
	}
	close(leave)
	if got := <-first; len(got.Errors) != 0 {
		t.Errorf("the first: %s", got.body)
	}
}

func TestDrainFinishesWhatItHasBegun(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	bankOf := wholeBank()
	balance := bankOf.balance
	bankOf.balance = func(ctx context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
		inside <- struct{}{}
		<-leave
		return balance(ctx, r)
	}
	g := start(t, serveAll(t, bankOf))
	if got := health(t, g); got != http.StatusOK {
		t.Fatalf("health %d", got)
	}
	first := make(chan answer)
	go func() { first <- g.ask(t, appRefresh, map[string]any{"id": "c00042"}) }()
	<-inside

	drained := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		drained <- g.Drain(ctx)
	}()
	for deadline := time.Now().Add(patience); health(t, g) != http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			t.Fatal("health never said that it drains")
		}
	}
	select {
	case err := <-g.served:
		t.Fatalf("Serve returned %v with a request in flight", err)
	default:
	}
	close(leave)
	if got := <-first; len(got.Errors) != 0 {
		t.Errorf("the request in flight: %s", got.body)
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if err := <-g.served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestItSpeaksHTTP2InTheClear(t *testing.T) {
	g := start(t, serveAll(t, wholeBank()))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Post(g.url+"/graphql", "application/json",
		strings.NewReader(`{"query":"{ account(customerId: \"c00042\") { balance { balanceMinor } } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.ProtoMajor != 2 || !bytes.Contains(body, []byte("9007199254740993")) {
		t.Errorf("%s: %s, %v", response.Proto, body, err)
	}
}

func TestKillCutsConnections(t *testing.T) {
	inside := make(chan struct{})
	bankOf := wholeBank()
	bankOf.balance = func(ctx context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
		close(inside)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g := start(t, serveAll(t, bankOf))
	cut := make(chan error)
	go func() {
		response, err := http.Post(g.url+"/graphql", "application/json",
			bytes.NewReader([]byte(`{"query":"{ account(customerId: \"c00042\") { balance { balanceMinor } } }"}`)))
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		cut <- err
	}()
	<-inside
	g.Kill()
	if err := <-cut; err == nil {
		t.Error("the request in flight was answered")
	}
	if err := <-g.served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func health(t *testing.T, g *running) int {
	t.Helper()
	response, err := http.Get(g.url + "/healthz")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
