package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPeer: what one router tells is what the other reads.
func TestPeer(t *testing.T) {
	heard := time.Now().Add(-time.Minute)
	table := Told{
		Revision: 104, HeardAt: heard,
		Entries: []Entry{
			{Service: "ledger", Revision: 103, Endpoints: []Endpoint{{Addr: "10.0.0.1:80", Instance: "ledger-1", Zone: "a"}, {Addr: "[fd00::1]:81", Instance: "ledger-2"}}},
			{Service: "other.team", Revision: 7, Endpoints: []Endpoint{{Addr: "10.0.0.2:80"}}},
			{Service: "pots", Revision: 104},
		},
	}
	server := httptest.NewServer(TableHandler(func(_ context.Context, after int64) (Told, error) {
		told := table
		if after >= table.Revision {
			told.Entries = nil
		}
		return told, nil
	}))
	defer server.Close()
	p := NewPeer(server.URL + "/")
	defer p.Close()

	revision, items, err := p.List(t.Context())
	if err != nil || revision != 104 || len(items) != len(table.Entries) {
		t.Fatalf("revision %d, %d items, %v", revision, len(items), err)
	}
	for i, item := range items {
		// The parser of 2017 too: an empty service is none of null's children.
		entry, err := linkerd2017.parse(item, newZones())
		if want := table.Entries[i]; err != nil || entry.Service != want.Service || entry.Revision != want.Revision || !slices.Equal(entry.Endpoints, want.Endpoints) {
			t.Errorf("%+v, %v, want %+v", entry, err, want)
		}
	}
	if off := p.HeardAt().Sub(heard).Abs(); off > 10*time.Second {
		t.Errorf("heard at %v, off by %v", p.HeardAt(), off)
	}

	if err := p.Watch(t.Context(), 103, func(Notice) { t.Error("there is nothing to tell before the list") }); !errors.Is(err, ErrGone) {
		t.Errorf("behind: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var notices []Notice
	err = p.Watch(ctx, 104, func(n Notice) { notices = append(notices, n); cancel() })
	if !errors.Is(err, context.Canceled) || len(notices) == 0 || !notices[0].Bookmark || notices[0].Revision != 104 || notices[0].HeardAt.IsZero() {
		t.Errorf("%+v, %v", notices, err)
	}
}

// TestPeerRefuses: what does not come from a source, or cannot be read, is no
// table.
func TestPeerRefuses(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no source": TableHandler(func(context.Context, int64) (Told, error) { return Told{}, nil }).ServeHTTP,
		"stopped":   TableHandler(func(context.Context, int64) (Told, error) { return Told{}, errStopped }).ServeHTTP,
		"hearsay": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(tableBasis, "peer")
			w.Header().Set(tableRevision, "9")
		},
		"no header": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"services":[]}`) },
		"revision":  peerSays("x", "1", `{"services":[]}`),
		"age":       peerSays("9", "-1", `{"services":[]}`),
		"body":      peerSays("9", "1", `{`),
		"empty":     peerSays("9", "1", `{}`),
		"address":   peerSays("9", "1", `{"services":[{"Service":"ledger","Endpoints":[{"Addr":"nowhere"}]}]}`),
	} {
		server := httptest.NewServer(answer)
		p := NewPeer(server.URL)
		if revision, items, err := p.List(t.Context()); err == nil {
			t.Errorf("%s: revision %d, %d items", name, revision, len(items))
		}
		p.Close()
		server.Close()
	}
}

func peerSays(revision, age, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(tableBasis, basisSource)
		w.Header().Set(tableRevision, revision)
		w.Header().Set(tableAge, age)
		_, _ = io.WriteString(w, body)
	}
}

func TestTableHandler(t *testing.T) {
	handler := TableHandler(func(_ context.Context, after int64) (Told, error) {
		told := Told{Revision: 10, HeardAt: time.Now()}
		if after < told.Revision {
			told.Entries = []Entry{{Service: "ledger"}}
		}
		return told, nil
	})
	for _, c := range []struct {
		method, url string
		status      int
		body        bool
	}{
		{http.MethodGet, "/table", http.StatusOK, true},
		{http.MethodGet, "/table?after=9", http.StatusOK, true},
		{http.MethodGet, "/table?after=10", http.StatusNotModified, false},
		{http.MethodHead, "/table?after=9", http.StatusOK, false},
		{http.MethodHead, "/table?after=10", http.StatusNotModified, false},
		{http.MethodGet, "/table?after=ten", http.StatusBadRequest, false},
		{http.MethodPost, "/table", http.StatusMethodNotAllowed, false},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(c.method, c.url, nil))
		if got := strings.Contains(w.Body.String(), "ledger"); w.Code != c.status || got != c.body {
			t.Errorf("%s %s: %d, table %v", c.method, c.url, w.Code, got)
		}
		if c.status < http.StatusBadRequest && w.Header().Get(tableRevision) != "10" {
			t.Errorf("%s %s: revision %q", c.method, c.url, w.Header().Get(tableRevision))
		}
	}
}

// TestGossip: two routers, real HTTP. One has lost its source before a deploy,
// the other has seen it.
func TestGossip(t *testing.T) {
	start := func(sources ...Source) *mirror {
		policies, err := PoliciesByName([]string{"heartbeat", "gossip"})
		if err != nil {
			t.Fatal(err)
		}
		m := &mirror{table: map[string]string{}}
		m.runner = StartRunner(RunnerConfig{
			Core:    Config{Parser: linkerd2018, Policies: policies, WatchNull: DropNull, Rand: rand.New(rand.NewPCG(1, 1))},
			Sources: sources,
			Apply:   m.apply,
			Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		t.Cleanup(m.runner.Close)
		return m
	}
	old, fresh := Addresses{"ledger": {"127.0.0.1:1"}}, Addresses{"ledger": {"127.0.0.1:2"}}
	source := NewStatic("static", old)
	source.Replace(fresh)
	seen := start(source)
	served := httptest.NewServer(TableHandler(seen.runner.Told))
	t.Cleanup(served.Close)
	seen.await(t, "its list", func(table map[string]string, s State) bool { return table["ledger"] == "2" && s.Basis == FromSource })

	lost := start(&deadSource{table: NewStatic("dead", old)}, NewPeer(served.URL))
	lost.await(t, "what was", func(table map[string]string, _ State) bool { return table["ledger"] == "1" })
	lost.runner.Testify(Evidence{Kind: Unreachable, Service: "ledger", Addr: "127.0.0.1:1"})
	lost.await(t, "the peer's table", func(table map[string]string, s State) bool {
		return table["ledger"] == "2" && s.Basis == FromPeer && s.Revision == 2 && !s.HeardAt.IsZero()
	})
	if told, err := lost.runner.Told(t.Context(), 0); err != nil || told.Revision != 0 {
		t.Errorf("it passes on what it was told: %+v, %v", told, err)
	}
	seen.runner.Close()
	if _, err := seen.runner.Told(t.Context(), 0); !errors.Is(err, errStopped) {
		t.Errorf("asked after its end: %v", err)
	}
}

// deadSource can be listed once, and says nothing after that.
type deadSource struct{ table *Static }

func (d *deadSource) Info() SourceInfo { return SourceInfo{Name: "dead"} }
func (d *deadSource) Close()           {}

func (d *deadSource) List(ctx context.Context) (int64, []json.RawMessage, error) {
	return d.table.List(ctx)
}

func (d *deadSource) Watch(ctx context.Context, _ int64, _ func(Notice)) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
