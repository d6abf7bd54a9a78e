package part

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/ports"
	"breakbank/platform/telemetry"
	"breakbank/platform/testrun"
	adminv1 "breakbank/proto/admin/v1"
)

// testLimit bounds every wait of these tests.
const testLimit = 20 * time.Second

// testPorts are those of all tests: a process that has died holds no port, and
// comes back at its own.
var testPorts = ports.New()

// testsMax is how many tests run at once, however few cores there are: they wait,
// for beats and for silence to be noticed.
const testsMax = 6

func TestMain(m *testing.M) {
	testrun.AtOnce(testsMax)
	goleak.VerifyTestMain(m)
}

// host is a part at an address, whose process can die and come back.
type host struct {
	t       *testing.T
	offers  Offers
	token   string
	address string // empty until the first process
	starts  int64

	server *Server
	admin  *telemetry.Server
}

// newHost starts a part, until the test ends.
func newHost(t *testing.T, offers Offers) *host {
	t.Helper()
	h := &host{t: t, offers: offers}
	h.start()
	t.Cleanup(h.kill)
	return h
}

// start starts another process of the part, at the same address.
func (h *host) start() {
	h.t.Helper()
	var l net.Listener
	var err error
	if h.address == "" {
		l, err = testPorts.Listen()
	} else {
		l, err = net.Listen("tcp4", h.address)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.address = l.Addr().String()
	h.starts++
	// Number 1, as always in a container: only the time tells them apart.
	h.server = newServer(h.offers, identity{1, h.starts * int64(time.Second)})
	calls := grpc.NewServer()
	adminv1.RegisterPartServiceServer(calls, h.server)
	h.admin, err = telemetry.Serve(telemetry.Config{Listener: l, Token: h.token, Name: h.offers.Name, Role: h.offers.Role, GRPC: calls})
	if err != nil {
		h.t.Fatal(err)
	}
}

// kill ends the process; its connections break. It may be called twice.
func (h *host) kill() {
	h.t.Helper()
	if h.admin == nil {
		return
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.admin.Close(now); err != nil {
		h.t.Error(err)
	}
	h.server.Close()
	h.admin = nil
}

// dial watches a part until the test ends.
func dial(t *testing.T, name, role, address string) *Client {
	t.Helper()
	c := Dial(DialConfig{Name: name, Role: role, Address: address})
	t.Cleanup(c.Close)
	return c
}

// dialed is a client that has met the host.
func (h *host) dialed() *Client {
	h.t.Helper()
	c := dial(h.t, h.offers.Name, h.offers.Role, h.address)
	await(h.t, c, "the part", c.Reachable)
	return c
}

// raw is a connection without a Client.
func (h *host) raw() adminv1.PartServiceClient {
	h.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+h.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return adminv1.NewPartServiceClient(conn)
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// await waits until what a client sees is so.
func await(t *testing.T, c *Client, what string, is func() bool) {
	t.Helper()
	ctx := testContext(t)
	for {
		changed := c.Changed()
		if is() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v; the part is: %q", what, testLimit, c.Unready())
		}
	}
}

// relayTo is a link in front of an address, until the test ends.
func relayTo(t *testing.T, name string, target func() string) *fault.Relay {
	t.Helper()
	l, err := testPorts.Listen()
	if err != nil {
		t.Fatal(err)
	}
	r := fault.NewRelay(l, target, name)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// fakeNode is a node that does what it is told, and remembers.
type fakeNode struct {
	mu        sync.Mutex
	router    node.RouterStatus
	instances []node.InstanceStatus
	signals   []string
	err       error
}

func newFakeNode() *fakeNode {
	n := &fakeNode{instances: []node.InstanceStatus{
		{Name: "ledger-1", Service: "ledger", Version: "v1", Address: "127.0.0.1:1", Ready: true, PID: 7, StartedAt: time.Unix(5, 0).UTC(), State: "running"},
		{Name: "feed-1", Service: "feed", Address: "127.0.0.1:2"},
	}}
	n.router = node.RouterStatus{Running: true, Incarnation: 1}
	n.router.Synced, n.router.Source, n.router.Revision, n.router.LastHeardAt = true, "apiserver-a", 9, time.Unix(6, 0).UTC()
	n.router.Requests, n.router.Attempts, n.router.EtcdReads, n.router.Detail, n.router.Names = 1, 2, 3, "watching", 1
	n.router.Table, n.router.TableVersion = map[string][]string{"ledger": {"127.0.0.1:1"}}, 1
	return n
}

func (n *fakeNode) Instances() []node.InstanceStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.instances)
}

func (n *fakeNode) RouterStatus() node.RouterStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.router
}

func (n *fakeNode) RestartRouter(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.router.Incarnation++
	}
	return n.err
}

func (n *fakeNode) SignalInstance(name string, s node.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.signals = append(n.signals, name+" "+s.String())
	return n.err
}

// set changes the router.
func (n *fakeNode) set(change func(*node.RouterStatus)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.router)
}

// fakeMember is an etcd member that does what it is told.
type fakeMember struct {
	mu      sync.Mutex
	running bool
	with    string
	err     error
}

func (m *fakeMember) Start(_ context.Context, initialCluster, state string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running, m.with = m.err == nil, initialCluster+" "+state
	return m.err
}

func (m *fakeMember) Stop(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
	return m.err
}

func (m *fakeMember) Running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running
}

// fakeAPIServer knows endpoints, and nothing else.
type fakeAPIServer struct{}

func (fakeAPIServer) Ready(resource string) bool { return resource == "endpoints" }
func (fakeAPIServer) CacheRevision(resource string) int64 {
	if resource == "endpoints" {
		return 42
	}
	return 0
}
