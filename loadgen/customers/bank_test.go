package customers_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/loadgen/customers"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	bankv1 "breakbank/proto/bank/v1"
)

// bank is the three edges in each of three zones, on loopback. Each request
// goes through enter; without it, all are answered at once.
type bank struct {
	bankv1.UnimplementedCardNetServiceServer
	bankv1.UnimplementedFasterPaymentsServiceServer

	targets customers.Targets
	// enter sees each request, and may hold it or refuse it.
	enter func(ctx context.Context, r request) error
	// authorise decides a tap; nil approves.
	authorise func(*bankv1.AuthoriseRequest) *bankv1.AuthoriseResponse

	mu       sync.Mutex
	requests []request
}

// request is what the bank saw of a request.
type request struct {
	zone     int
	edge     string
	identity string // the card, account or customer
	key      string
	left     time.Duration // until its deadline
	named    string        // the service it named
}

type zoneKey struct{}

// openBank starts the bank; the test's end stops it.
func openBank(t *testing.T) *bank {
	b := &bank{}
	for zone := range 3 {
		b.targets.CardNet = append(b.targets.CardNet, b.serveGRPC(t, zone))
		b.targets.FPS = append(b.targets.FPS, b.serveGRPC(t, zone))
		b.targets.Gateway = append(b.targets.Gateway, b.serveHTTP(t, zone))
	}
	return b
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (b *bank) serveGRPC(t *testing.T, zone int) string {
	l := listen(t, "127.0.0.1:0")
	_ = b.startGRPC(t, l, zone)
	return l.Addr().String()
}

func (b *bank) startGRPC(t *testing.T, l net.Listener, zone int) *grpc.Server {
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		reply, err := handle(context.WithValue(ctx, zoneKey{}, zone), req)
		_ = grpc.SetTrailer(ctx, metadata.Pairs("bb-route", "stale", "bb-route-age-ms", "1500", "bb-attempts", "3"))
		return reply, err
	}))
	bankv1.RegisterCardNetServiceServer(s, b)
	bankv1.RegisterFasterPaymentsServiceServer(s, b)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Stop()
		served.Wait()
	})
	return s
}

func (b *bank) serveHTTP(t *testing.T, zone int) string {
	l := listen(t, "127.0.0.1:0")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, r *http.Request) { b.graphQL(w, r, zone) })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: mux, Protocols: protocols}
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		served.Wait()
	})
	return l.Addr().String()
}

func (b *bank) saw(ctx context.Context, r request) error {
	b.mu.Lock()
	b.requests = append(b.requests, r)
	b.mu.Unlock()
	if b.enter == nil {
		return nil
	}
	return b.enter(ctx, r)
}

func grpcRequest(ctx context.Context, edge, identity, key string) request {
	deadline, _ := ctx.Deadline()
	md, _ := metadata.FromIncomingContext(ctx)
	zone, _ := ctx.Value(zoneKey{}).(int)
	return request{
		zone: zone, edge: edge, identity: identity, key: key,
		left: time.Until(deadline), named: strings.Join(md.Get(":authority"), ","),
	}
}

func (b *bank) Authorise(ctx context.Context, r *bankv1.AuthoriseRequest) (*bankv1.AuthoriseResponse, error) {
	if err := b.saw(ctx, grpcRequest(ctx, "cardnet", r.GetCardNumber(), r.GetIdempotencyKey())); err != nil {
		return nil, err
	}
	if b.authorise != nil {
		return b.authorise(r), nil
	}
	return &bankv1.AuthoriseResponse{ResponseCode: "00", DecidedBy: "cardauth"}, nil
}

func (b *bank) Receive(ctx context.Context, r *bankv1.ReceiveInRequest) (*bankv1.ReceiveResponse, error) {
	if err := b.saw(ctx, grpcRequest(ctx, "fps", r.GetToAccount(), r.GetIdempotencyKey())); err != nil {
		return nil, err
	}
	return &bankv1.ReceiveResponse{}, nil
}

// graphQL answers the three operations by what their variables say.
func (b *bank) graphQL(w http.ResponseWriter, r *http.Request, zone int) {
	var body struct {
		Query     string `json:"query"`
		Variables struct {
			ID    string `json:"id"`
			Input struct {
				IdempotencyKey string `json:"idempotencyKey"`
				CustomerID     string `json:"customerId"`
				AmountMinor    int64  `json:"amountMinor"`
			} `json:"input"`
		} `json:"variables"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	in := body.Variables.Input
	ms, _ := strconv.ParseInt(r.Header.Get("bb-timeout-ms"), 10, 64)
	err := b.saw(r.Context(), request{
		zone: zone, edge: "gateway", identity: body.Variables.ID + in.CustomerID, key: in.IdempotencyKey,
		left: time.Duration(ms) * time.Millisecond, named: "gateway",
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("bb-route", "stale")
	w.Header().Set("bb-route-age-ms", "1500")
	w.Header().Set("bb-attempts", "3")
	const balance = `"balance":{"balanceMinor":1,"availableMinor":1},"feed":[]`
	reply := `{"data":{"account":{` + balance + `}}}`
	switch {
	case strings.HasPrefix(body.Query, "mutation"):
		reply = `{"data":{"pay":{"status":"ACCEPTED"}}}`
	case strings.Contains(body.Query, "customer(id:$id)"):
		reply = `{"data":{"customer":{` + balance + `,"card":{"state":"ACTIVE"}}}}`
	}
	_, _ = w.Write([]byte(reply))
}
