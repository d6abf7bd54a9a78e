package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is never waited out.
const patience = 10 * time.Second

// services are those behind the gateway, over real gRPC. The test says what
// each answers.
type services struct {
	bankv1.UnimplementedBalanceServiceServer
	bankv1.UnimplementedFeedServiceServer
	bankv1.UnimplementedPaymentsServiceServer
	bankv1.UnimplementedCardAuthServiceServer

	balance  func(context.Context, *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error)
	feed     func(context.Context, *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error)
	sendOut  func(context.Context, *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error)
	card     func(context.Context, *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error)
	setState func(context.Context, *bankv1.SetCardStateRequest) (*bankv1.SetCardStateResponse, error)
}

func (s *services) GetBalance(ctx context.Context, r *bankv1.GetBalanceRequest) (*bankv1.GetBalanceResponse, error) {
	return s.balance(ctx, r)
}

func (s *services) ListEntries(ctx context.Context, r *bankv1.ListEntriesRequest) (*bankv1.ListEntriesResponse, error) {
	return s.feed(ctx, r)
}

func (s *services) SendOut(ctx context.Context, r *bankv1.SendOutRequest) (*bankv1.SendOutResponse, error) {
	return s.sendOut(ctx, r)
}

func (s *services) GetCard(ctx context.Context, r *bankv1.GetCardRequest) (*bankv1.GetCardResponse, error) {
	return s.card(ctx, r)
}

func (s *services) SetCardState(ctx context.Context, r *bankv1.SetCardStateRequest) (*bankv1.SetCardStateResponse, error) {
	return s.setState(ctx, r)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serveAll serves s where the node's router would listen, and returns that
// address.
func serveAll(t *testing.T, s *services) string {
	t.Helper()
	l := listen(t)
	server := grpc.NewServer()
	bankv1.RegisterBalanceServiceServer(server, s)
	bankv1.RegisterFeedServiceServer(server, s)
	bankv1.RegisterPaymentsServiceServer(server, s)
	bankv1.RegisterCardAuthServiceServer(server, s)
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		served.Wait()
	})
	return l.Addr().String()
}

// running is a gateway under test.
type running struct {
	*instance
	client
	served chan error // Receives what Serve returned.
}

func start(t *testing.T, routerAddr string) *running {
	t.Helper()
	dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: routerAddr, Service: "gateway", Instance: "gateway-v1-1-a1"})
	l := listen(t)
	made, err := New(context.Background(), node.Env{
		Service:  "gateway",
		Instance: "gateway-v1-1-a1",
		Listener: l,
		Dialer:   dialer,
		Log:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &running{instance: made.(*instance), client: client{"http://" + l.Addr().String()}, served: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.served <- g.Serve()
	}()
	t.Cleanup(func() {
		g.Kill()
		<-done
		if err := dialer.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return g
}

// client asks a gateway.
type client struct{ url string }

// answer is a response of the gateway.
type answer struct {
	status int
	header http.Header
	body   []byte
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
}

// code is the code of the only error.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if len(a.Errors) != 1 {
		t.Fatalf("want one error, got %s", a.body)
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

func (c client) ask(t *testing.T, query string, variables map[string]any, headers ...string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return c.post(t, body, headers...)
}

// post sends a body with headers given as name, value, name, value...
func (c client) post(t *testing.T, body []byte, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	if a.body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(a.body, &a); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return a
}
