package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"breakbank/platform/book"
	"breakbank/platform/node"
	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
	bankv1 "breakbank/proto/bank/v1"
	"breakbank/services/balance"
	"breakbank/services/bank"
	"breakbank/services/cardauth"
	"breakbank/services/cardnet"
	"breakbank/services/gateway"
	"breakbank/services/ledger"
)

// accessLog collects what every hop writes.
type accessLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *accessLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// hop is a line of an access log.
type hop struct {
	Msg       string `json:"msg"`
	Service   string `json:"service"`
	Instance  string `json:"instance"`
	Method    string `json:"method"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	Caller    string `json:"caller"`
	Router    string `json:"router"`
}

func (h hop) name() string {
	if h.Router != "" {
		return h.Router + " to " + h.Service
	}
	return h.Service
}

// hops are the lines that a request has left, by where they were written, in
// the order in which the calls ended.
func (l *accessLog) hops(t *testing.T, id string) []hop {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var hops []hop
	for line := range strings.Lines(l.text.String()) {
		var h hop
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if h.Msg == "call" && h.RequestID == id {
			hops = append(hops, h)
		}
	}
	return hops
}

// await returns the lines that a request has left, by where, once all those
// wanted are there: a router writes its own after it has answered.
func (l *accessLog) await(t *testing.T, id string, want ...string) map[string]hop {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); ; <-tick.C {
		seen, missing := map[string]hop{}, slices.Clone(want)
		for _, h := range l.hops(t, id) {
			seen[h.name()] = h
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == h.name() })
		}
		if len(missing) == 0 {
			return seen
		}
		if time.Now().After(deadline) {
			t.Fatalf("request %s left no line at %v", id, missing)
		}
	}
}

// smallBank is as much of the bank as a card tap and a look at a balance take:
// real services behind a real router, and a real book.
type smallBank struct {
	log              *accessLog
	cardnet, gateway string // addresses
}

func startSmallBank(t *testing.T, dataPlane string) *smallBank {
	t.Helper()
	b := &smallBank{log: &accessLog{}}
	log := slog.New(slog.NewJSONHandler(b.log, nil))

	bookAddr := startBook(t, log)
	services := map[string]node.Constructor{
		"cardauth": cardauth.New, "ledger": ledger.New, "balance": balance.New, "cardnet": cardnet.New, "gateway": gateway.New,
	}
	listeners := map[string]net.Listener{}
	seed := "services:\n"
	for name := range services {
		listeners[name] = listenLocal(t)
		seed += "  " + name + ": [" + listeners[name].Addr().String() + "]\n"
	}
	routerAddr := startSeededRouter(t, dataPlane, seed, log)
	for name, construct := range services {
		instance := name + "-v1-0-a1"
		dialer := rpc.NewDialer(rpc.DialerConfig{RouterAddr: routerAddr, Service: name, Instance: instance, Log: log})
		made, err := construct(t.Context(), node.Env{
			Service: name, Version: "v1", Instance: instance, Node: "a1", Zone: "a", Listener: listeners[name], Dialer: dialer,
			BookAddr: bookAddr, DataDir: t.TempDir(), Log: log, AccessLog: true, Fallback: "none",
		})
		if err != nil {
			t.Fatal(err)
		}
		runInstance(t, made.Serve, made.Kill)
		t.Cleanup(func() { _ = dialer.Close() })
	}
	b.cardnet, b.gateway = listeners["cardnet"].Addr().String(), listeners["gateway"].Addr().String()
	return b
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// runInstance serves until the test ends.
func runInstance(t *testing.T, serve func() error, kill func()) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- serve() }()
	t.Cleanup(func() {
		kill()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func startBook(t *testing.T, log *slog.Logger) string {
	t.Helper()
	stores := map[string]book.Store{}
	for _, name := range []string{bank.StoreLedger, bank.StoreCards} {
		store, err := book.OpenPebble(filepath.Join(t.TempDir(), name), book.Options{Durability: book.Memory})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		if err := store.Seed(t.Context(), bank.SeedOperations(name)); err != nil {
			t.Fatal(err)
		}
		stores[name] = store
	}
	l := listenLocal(t)
	s := book.NewServer(book.ServerConfig{Listener: l, Stores: stores, Log: log, AccessLog: true})
	runInstance(t, s.Serve, s.Kill)
	return l.Addr().String()
}

func startSeededRouter(t *testing.T, dataPlane, seed string, log *slog.Logger) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := discovery.OpenSeedFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l := listenLocal(t)
	r, err := router.New(router.Options{
		Node: "router-a1", Zone: "a", Config: []byte("dataplane: " + dataPlane), Listener: l,
		Sources: []discovery.Source{table.Source()}, Log: log, AccessLog: true, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(r.Kill)
	select {
	case <-r.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("the router has no table")
	}
	return l.Addr().String()
}

func (b *smallBank) tap(ctx context.Context, t *testing.T, key string) metadata.MD {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+b.cardnet,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("cardnet"), grpc.WithUserAgent("cardscheme/1"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var trailer metadata.MD
	got, err := bankv1.NewCardNetServiceClient(conn).Authorise(ctx, &bankv1.AuthoriseRequest{
		IdempotencyKey: key, CardNumber: bank.CardNumber(1), AmountMinor: 1,
	}, grpc.Trailer(&trailer))
	if err != nil {
		t.Fatal(err)
	}
	if got.GetResponseCode() == bank.IssuerInoperative || got.GetResponseCode() == bank.SystemError {
		t.Fatalf("the tap did not get through: %v", got)
	}
	return trailer
}

// A card tap's id is in the log line of each hop: its own, if the card network
// has named it, else one that the edge has made and told.
func TestARequestIDFollowsACardTap(t *testing.T) {
	for _, plane := range []string{router.DataPlaneFrames, router.DataPlaneRawCodec} {
		t.Run(plane, func(t *testing.T) {
			b := startSmallBank(t, plane)
			named := metadata.AppendToOutgoingContext(t.Context(), rpc.OutsideRequestID, "scheme:4711")
			b.tap(named, t, "named")
			b.checkTap(t, "scheme:4711")

			trailer := b.tap(t.Context(), t, "unnamed")
			made := trailer.Get(rpc.RequestIDMetadata)
			if len(made) != 1 || len(made[0]) != 16 {
				t.Fatalf("the edge told %q", made)
			}
			b.checkTap(t, made[0])

			// What no log should hold is no name.
			evil := metadata.AppendToOutgoingContext(t.Context(), rpc.OutsideRequestID, "a name with spaces")
			if made := b.tap(evil, t, "evil").Get(rpc.RequestIDMetadata); len(made) != 1 || len(made[0]) != 16 {
				t.Errorf("instead of a bad name the edge told %q", made)
			}
		})
	}
}

func (b *smallBank) checkTap(t *testing.T, id string) {
	t.Helper()
	callers := map[string]string{
		"cardnet": "cardscheme/1", "router-a1 to cardauth": "cardnet/cardnet-v1-0-a1", "cardauth": "",
		"router-a1 to ledger": "cardauth/cardauth-v1-0-a1", "ledger": "", "book": "book-client/",
	}
	seen := b.log.await(t, id, slices.Collect(maps.Keys(callers))...)
	for name, caller := range callers {
		if h := seen[name]; !strings.HasPrefix(h.Caller, caller) || h.Code != "OK" {
			t.Errorf("at %s it is %s from %q, want OK from %q", name, h.Code, h.Caller, caller)
		}
	}
	if h := seen["ledger"]; h.Instance != "ledger-v1-0-a1" || h.Method != "bank.v1.LedgerService/Hold" {
		t.Errorf("the ledger's line is %+v", h)
	}
}

// The same over HTTP, with the header that proxies use.
func TestARequestIDFollowsALookAtABalance(t *testing.T) {
	b := startSmallBank(t, router.DataPlaneFrames)
	for _, given := range []string{"7b5e-app.refresh", ""} {
		body := `{"query":"{ customer(id: \"` + bank.CustomerID(1) + `\") { balance { balanceMinor } } }"}`
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.gateway+"/graphql", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set(rpc.OutsideRequestID, given)
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		id := resp.Header.Get(rpc.OutsideRequestID)
		if given != "" && id != given || id == "" {
			t.Fatalf("asked as %q, answered as %q", given, id)
		}
		b.log.await(t, id, "gateway", "router-a1 to balance", "balance", "router-a1 to ledger", "ledger", "book")
	}
	http.DefaultClient.CloseIdleConnections()
}
