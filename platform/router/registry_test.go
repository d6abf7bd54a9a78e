package router

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// registryStub speaks as much of the Kubernetes dialect as a router reads:
// enough to drive the data plane. Discovery itself is tested against real API
// servers in router/discovery.
type registryStub struct {
	server *httptest.Server

	mu       sync.Mutex
	revision int64
	records  map[string]string // name → subsets as JSON
	nodes    map[string]string // name → zone
	events   []string          // of revisions 1, 2, …
	news     *sync.Cond
	closed   bool
}

// instance is an address and who is there.
type instance struct{ name, addr string }

func newRegistryStub(t testing.TB) *registryStub {
	t.Helper()
	r := &registryStub{records: map[string]string{}}
	r.news = sync.NewCond(&r.mu)
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() {
		r.mu.Lock()
		r.closed = true
		r.news.Broadcast()
		r.mu.Unlock()
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

func (r *registryStub) set(service string, instances ...instance) {
	subsets := make([]string, len(instances))
	for i, in := range instances {
		host, port, _ := net.SplitHostPort(in.addr)
		subsets[i] = fmt.Sprintf(`{"addresses":[{"ip":%q,"targetRef":{"name":%q}}],"ports":[{"port":%s}]}`, host, in.name, port)
	}
	r.put(service, "["+strings.Join(subsets, ",")+"]")
}

// setOn is set for instances of which it is known on which nodes they run.
func (r *registryStub) setOn(service string, on map[string]instance) {
	var subsets []string
	for node, in := range on {
		host, port, _ := net.SplitHostPort(in.addr)
		subsets = append(subsets, fmt.Sprintf(`{"addresses":[{"ip":%q,"nodeName":%q,"targetRef":{"name":%q}}],"ports":[{"port":%s}]}`, host, node, in.name, port))
	}
	r.put(service, "["+strings.Join(subsets, ",")+"]")
}

func (r *registryStub) setNull(service string) { r.put(service, "null") }

func (r *registryStub) put(service, subsets string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revision++
	r.records[service] = subsets
	r.events = append(r.events, fmt.Sprintf(`{"type":"MODIFIED","object":%s}`, r.object(service)))
	r.news.Broadcast()
}

func (r *registryStub) object(service string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"resourceVersion":"%d"},"subsets":%s}`, service, r.revision, r.records[service])
}

func (r *registryStub) serve(w http.ResponseWriter, q *http.Request) {
	if strings.HasSuffix(q.URL.Path, "/nodes") {
		r.listNodes(w)
		return
	}
	if q.URL.Query().Get("watch") == "" {
		r.list(w)
		return
	}
	from, _ := strconv.Atoi(q.URL.Query().Get("resourceVersion"))
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	_ = flush()
	for next := from; ; {
		r.mu.Lock()
		for next >= len(r.events) && !r.closed {
			r.news.Wait()
		}
		if r.closed {
			r.mu.Unlock()
			return
		}
		event := r.events[next]
		next++
		r.mu.Unlock()
		if _, err := io.WriteString(w, event+"\n"); err != nil || flush() != nil {
			return
		}
	}
}

func (r *registryStub) list(w http.ResponseWriter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	items := make([]json.RawMessage, 0, len(r.records))
	for service := range r.records {
		items = append(items, json.RawMessage(r.object(service)))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"metadata": map[string]string{"resourceVersion": strconv.FormatInt(r.revision, 10)},
		"items":    items,
	})
}

func (r *registryStub) listNodes(w http.ResponseWriter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var items []string
	for node, zone := range r.nodes {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"topology.kubernetes.io/zone":%q}}}`, node, zone))
	}
	fmt.Fprintf(w, `{"metadata":{"resourceVersion":"1"},"items":[%s]}`, strings.Join(items, ","))
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// startRouter runs a router in front of the stub, and returns its address.
func startRouter(t testing.TB, registry *registryStub, config string) (*Router, string) {
	t.Helper()
	l := listen(t)
	r, err := New(Options{
		Node: "a1", Zone: "a", Config: []byte(config), Listener: l,
		APIServers: []string{registry.server.URL}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(r.Kill)
	return r, l.Addr().String()
}

// path is a way that bytes may take through a router.
type path struct {
	name, plane string
	// duplexOnly: every method is carried full duplex, as those are whose
	// descriptor is not linked in.
	duplexOnly bool
}

var paths = []path{
	{"frames", DataPlaneFrames, false},
	{"raw-codec/unary", DataPlaneRawCodec, false},
	{"raw-codec/duplex", DataPlaneRawCodec, true},
}

// startRouterOn starts a router on a path; its configuration is in braces.
func startRouterOn(t *testing.T, registry *registryStub, p path, config string) (*Router, string) {
	t.Helper()
	r, addr := startRouter(t, registry, "{dataplane: "+p.plane+", "+config[1:])
	if raw, ok := r.plane.(*rawPlane); ok {
		raw.methods.duplexOnly = p.duplexOnly
	}
	return r, addr
}

// eventually polls until a condition holds; it fails the test after a bounded time.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const patience = 20 * time.Second
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
}
