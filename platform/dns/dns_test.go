package dns

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/platform/router/discovery"
)

const patience = 20 * time.Second

// serve starts a server that knows what the test tells it.
func serve(t *testing.T) (*Server, Resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{config: ServerConfig{Conn: conn, Log: slog.New(slog.DiscardHandler)}, services: map[string][]discovery.Endpoint{}}
	s.serving.Go(s.serve)
	t.Cleanup(func() {
		_ = conn.Close()
		s.serving.Wait()
	})
	return s, Resolver{Servers: []string{s.Addr()}}
}

func (s *Server) tell(entries ...discovery.Entry) {
	s.apply([]discovery.Publish{{Entries: entries}}, discovery.State{Synced: true})
}

func entry(service string, ports ...int) discovery.Entry {
	e := discovery.Entry{Service: service}
	for _, port := range ports {
		e.Endpoints = append(e.Endpoints, discovery.Endpoint{Addr: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	return e
}

func TestLookup(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, r := serve(t)
	if _, err := r.Lookup(ctx, "ledger"); err == nil || !strings.Contains(err.Error(), "ServerFailure") {
		t.Errorf("before its first list the server says %v, want SERVFAIL", err)
	}
	s.tell(entry("ledger", 12002, 12001), entry("pots"))
	for _, c := range []struct {
		service, want string
		ttl           time.Duration
	}{
		{"ledger", "127.0.0.1:12001 127.0.0.1:12002", TTL},
		{"pots", "", NegativeTTL},
		{"nobody", "", NegativeTTL},
	} {
		a, err := r.Lookup(ctx, c.service)
		if got := strings.Join(a.Addrs, " "); err != nil || got != c.want || a.TTL != c.ttl {
			t.Errorf("%s: %q for %v, %v; want %q for %v", c.service, got, a.TTL, err, c.want, c.ttl)
		}
	}
	s.apply([]discovery.Publish{{Removed: []string{"ledger"}}}, discovery.State{Synced: true})
	if a, err := r.Lookup(ctx, "ledger"); err != nil || len(a.Addrs) > 0 {
		t.Errorf("after its removal ledger is at %v, %v", a.Addrs, err)
	}
}

// TestLookupGoesOn: a server that is not there is passed over.
func TestLookupGoesOn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dead, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	s, r := serve(t)
	s.tell(entry("ledger", 12001))
	r.Servers = append([]string{dead.LocalAddr().String()}, r.Servers...)
	if a, err := r.Lookup(ctx, "ledger"); err != nil || len(a.Addrs) != 1 {
		t.Errorf("%v, %v", a, err)
	}
}

// TestLookupEndsWithItsContext: a server that is silent holds nobody longer.
func TestLookupEndsWithItsContext(t *testing.T) {
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, err := Resolver{Servers: []string{silent.LocalAddr().String()}}.Lookup(ctx, "ledger")
		asked <- err
	}()
	if _, _, err := silent.ReadFrom(make([]byte, payloadBytes)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-asked; err == nil {
		t.Error("a silent server gave an answer")
	}
}

// TestManyInstancesAreCutToFit: an answer never exceeds what was asked for,
// and what it holds can be used.
func TestManyInstancesAreCutToFit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, r := serve(t)
	ports := make([]int, 200)
	for i := range ports {
		ports[i] = 12000 + i
	}
	s.tell(entry("ledger", ports...))
	a, err := r.Lookup(ctx, "ledger")
	if err != nil || len(a.Addrs) < 10 || len(a.Addrs) == 200 {
		t.Errorf("%d of 200, %v; want as many as fit", len(a.Addrs), err)
	}
	if !slices.IsSorted(a.Addrs) {
		t.Error("addresses are not in order")
	}
}

// FuzzAnswer: whatever comes in, the server stays up, and answers no longer
// than it may.
func FuzzAnswer(f *testing.F) {
	query, err := queryFor(1, "ledger")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(query)
	f.Add([]byte{0, 1, 2})
	s := &Server{services: map[string][]discovery.Endpoint{}}
	s.tell(entry("ledger", 12001, 12002))
	f.Fuzz(func(t *testing.T, question []byte) {
		if answer, err := s.answer(question); err == nil && len(answer) > payloadBytes {
			t.Errorf("%d bytes", len(answer))
		}
	})
}
