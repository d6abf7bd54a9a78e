package discovery

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/apiserver"
	"breakbank/platform/fault"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
)

// patience bounds every wait of these tests.
const patience = 15 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	// Connections between stopped etcd members end with etcd's own read
	// timeout of five seconds.
	err := goleak.Find()
	for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); {
		err = goleak.Find()
	}
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// outage is real etcd and three real API servers, whose connections for
// endpoints run through relays that can go dark.
type outage struct {
	t       *testing.T
	ports   *ports.Allocator
	cluster *registry.Cluster
	store   *registry.Store
	relays  []*fault.Relay
	servers []*apiserver.Server
	addrs   []string
}

func newOutage(t *testing.T) *outage {
	o := &outage{t: t, ports: ports.New()}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	o.cluster, err = registry.StartCluster(ctx, registry.ClusterConfig{Dir: t.TempDir(), Members: 1, Address: o.ports.Address})
	o.must(err)
	t.Cleanup(func() { o.must(o.cluster.Close()) })
	etcd, err := clientv3.New(clientv3.Config{Endpoints: o.cluster.ClientAddrs(), Logger: zap.NewNop()})
	o.must(err)
	t.Cleanup(func() { o.must(etcd.Close()) })
	o.store = registry.NewStore(etcd)
	for range 3 {
		l, err := o.ports.Listen()
		o.must(err)
		relay := fault.NewRelay(l, func() string { return o.cluster.ClientAddrs()[0] }, "endpoints")
		t.Cleanup(func() { o.must(relay.Close()) })
		o.relays = append(o.relays, relay)
		own, err := o.ports.Listen()
		o.must(err)
		o.addrs = append(o.addrs, own.Addr().String())
		o.servers = append(o.servers, o.startServer(len(o.relays)-1, own))
	}
	t.Cleanup(func() {
		for _, s := range o.servers {
			o.must(s.Close())
		}
	})
	return o
}

func (o *outage) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *outage) startServer(i int, l net.Listener) *apiserver.Server {
	o.t.Helper()
	s, err := apiserver.Start(context.Background(), apiserver.Config{
		Name: "apiserver", Listener: l, ReadLimit: time.Second,
		EtcdEndpoint: func(resource string) string {
			if resource == "endpoints" {
				return o.relays[i].Addr()
			}
			return o.cluster.ClientAddrs()[0]
		},
	})
	o.must(err)
	return s
}

func (o *outage) goDark() {
	for _, relay := range o.relays {
		_, err := relay.Blackhole(context.Background())
		o.must(err)
	}
}

func (o *outage) restartServers() {
	for i, s := range o.servers {
		o.must(s.Close())
		l, err := net.Listen("tcp", o.addrs[i])
		o.must(err)
		o.servers[i] = o.startServer(i, l)
	}
}

// set writes a service's addresses, 127.0.0.1 and each of the ports, past all
// API servers; without any the record says "subsets": null.
func (o *outage) set(service string, at ...int32) {
	o.t.Helper()
	e := &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: service}}
	for _, port := range at {
		e.Subsets = append(e.Subsets, corev1.EndpointSubset{ //nolint:staticcheck // see registry.Endpoints
			Addresses: []corev1.EndpointAddress{{IP: "127.0.0.1"}}, //nolint:staticcheck // as above
			Ports:     []corev1.EndpointPort{{Port: port}},         //nolint:staticcheck // as above
		})
	}
	err := o.store.Create(o.t.Context(), resource, e)
	if err != nil {
		err = o.store.Update(o.t.Context(), resource, e)
	}
	o.must(err)
}

// mirror is a router's table, as the shell publishes it.
type mirror struct {
	runner *Runner
	etcd   *Etcd

	mu    sync.Mutex
	table map[string]string // service → addresses
	state State
	// bases and doubts are what the states said, in order.
	bases  []Basis
	doubts []string
}

func (o *outage) startRouter(parser string, dir string, policies ...string) *mirror {
	o.t.Helper()
	p, err := ParserByName(parser)
	o.must(err)
	chosen, err := PoliciesByName(policies)
	o.must(err)
	m := &mirror{table: map[string]string{}, etcd: NewEtcd(o.cluster.ClientAddrs)}
	var sources []Source
	for _, addr := range o.addrs {
		sources = append(sources, NewAPIServer("http://"+addr))
	}
	m.runner = StartRunner(RunnerConfig{
		Core:        Config{Parser: p, Policies: chosen, WatchNull: DropNull, Rand: rand.New(rand.NewPCG(1, 1))},
		Sources:     append(sources, m.etcd),
		SnapshotDir: dir,
		Apply:       m.apply,
		Log:         slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	o.t.Cleanup(m.runner.Close)
	return m
}

func (m *mirror) apply(changes []Publish, state State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, change := range changes {
		if change.Pending {
			clear(m.table)
		}
		for _, e := range change.Entries {
			addrs := make([]string, len(e.Endpoints))
			for i, ep := range e.Endpoints {
				addrs[i] = strings.TrimPrefix(ep.Addr, "127.0.0.1:")
			}
			m.table[e.Service] = strings.Join(addrs, " ")
		}
		for _, name := range change.Removed {
			delete(m.table, name)
		}
	}
	if state.Basis != m.state.Basis {
		m.bases = append(m.bases, state.Basis)
	}
	if state.Detail != m.state.Detail && strings.Contains(state.Detail, "in doubt") {
		m.doubts = append(m.doubts, state.Detail)
	}
	m.state = state
}

// firstDoubt is what a router's source was first doubted for.
func (m *mirror) firstDoubt() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.doubts[:min(1, len(m.doubts))], "")
}

func (m *mirror) now() (map[string]string, State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.table), m.state
}

// await waits until a router's table and state are as wanted.
func (m *mirror) await(t *testing.T, what string, holds func(map[string]string, State) bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		table, state := m.now()
		if holds(table, state) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s\ntable %v\nstate %+v", patience, what, table, state)
		}
	}
}

// TestOutage plays the incident's mechanisms 1 to 7 on real etcd and API
// servers, before two routers side by side: one as it was in 2017, and one
// that doubts a silent source and has its last table on disk.
func TestOutage(t *testing.T) {
	o := newOutage(t)
	o.set("ledger", 1001, 1002)
	o.set("pots", 2001)
	dir := t.TempDir()
	old := o.startRouter("linkerd-2017", "", "keep-last")
	guarded := o.startRouter("linkerd-2017", dir, "snapshot", "quarantine", "heartbeat")
	ledger := func(want string) func(map[string]string, State) bool {
		return func(table map[string]string, s State) bool { return table["ledger"] == want && s.Synced }
	}
	old.await(t, "first list", ledger("1001 1002"))
	guarded.await(t, "first list", ledger("1001 1002"))

	// The day before: pots is scaled to zero. Watch events are decoded singly,
	// so nothing happens.
	o.set("pots")
	o.set("ledger", 1001, 1002, 1003)
	old.await(t, "the event after the bad one", ledger("1001 1002 1003"))
	guarded.await(t, "the event after the bad one", ledger("1001 1002 1003"))
	if table, _ := old.now(); table["pots"] != "2001" {
		t.Errorf("pots is %q: the bad event was not dropped", table["pots"])
	}
	// The snapshot is on disk before the lights go out.
	saved := func() bool {
		s, err := snapshotFile{dir}.load()
		return err == nil && slices.ContainsFunc(s.Entries, func(e Entry) bool { return len(e.Endpoints) == 3 })
	}
	guarded.await(t, "the snapshot is saved", func(map[string]string, State) bool { return saved() })
	if got := guarded.etcd.Reads(); got != 0 {
		t.Errorf("%d direct reads of etcd while the API servers are well", got)
	}

	// Dark. A deploy moves ledger; evidence arrives with the first request, before
	// three bookmarks are missed.
	_, s := guarded.now()
	guarded.await(t, "a bookmark", func(_ map[string]string, now State) bool { return now.HeardAt.After(s.HeardAt) })
	o.goDark()
	o.set("ledger", 1004)
	guarded.runner.Testify(Evidence{Kind: Unreachable, Service: "ledger", Addr: "127.0.0.1:1001"})
	old.runner.Testify(Evidence{Kind: Unreachable, Service: "ledger", Addr: "127.0.0.1:1001"})
	guarded.await(t, "etcd is found", func(table map[string]string, s State) bool {
		return table["ledger"] == "1004" && s.Source == "etcd"
	})
	if why := guarded.firstDoubt(); !strings.Contains(why, Unreachable.String()) {
		t.Errorf("first doubted for %q, want the evidence", why)
	}

	// A router that starts now: first from disk, then from etcd. One of 2017 has
	// no name at all.
	cold := o.startRouter("linkerd-2017", dir, "snapshot", "quarantine", "heartbeat")
	cold.await(t, "a source is found", func(table map[string]string, s State) bool {
		return table["ledger"] == "1004" && s.Basis == FromSource
	})
	cold.mu.Lock()
	if bases := cold.bases; !slices.Equal(bases, []Basis{FromSnapshot, FromSource}) {
		t.Errorf("its table came from %v in turn, want the snapshot and then a source", bases)
	}
	cold.mu.Unlock()
	restarted := o.startRouter("linkerd-2017", "", "keep-last")
	if table, s := old.now(); table["ledger"] != "1001 1002 1003" || !s.Synced {
		t.Errorf("the router of 2017 knows of the deploy: %v, %+v", table, s)
	}

	// Nobody restarts the silence: still dark, still followed.
	o.set("ledger", 1005)
	guarded.await(t, "etcd goes on being followed", ledger("1005"))

	// The API servers are restarted. Fresh caches do not reach back, lists meet
	// the poison: the waiting router is poisoned, the old one stays stale.
	o.restartServers()
	restarted.await(t, "poisoned", func(_ map[string]string, s State) bool { return s.Poisoned })
	old.await(t, "the old one must list again", func(_ map[string]string, s State) bool {
		return strings.HasPrefix(s.Detail, "listing")
	})
	if table, _ := old.now(); table["ledger"] != "1001 1002 1003" {
		t.Errorf("the old router's table is %v", table)
	}

	// Mechanism 7: pots is deleted, and everyone recovers by themselves.
	o.must(o.store.Delete(t.Context(), resource, "pots"))
	for name, m := range map[string]*mirror{"old": old, "restarted": restarted, "guarded": guarded, "cold": cold} {
		m.await(t, name+" recovers", func(table map[string]string, s State) bool {
			_, pots := table["pots"]
			return table["ledger"] == "1005" && s.Synced && !pots
		})
	}
	if old.etcd.Reads()+restarted.etcd.Reads() != 0 {
		t.Error("a router without fail-over has read etcd")
	}
}

// TestAQuietRegistryConfirms: nothing changes, and a router that was led to
// etcd by an address that took no connection still learns that its table is
// complete.
func TestAQuietRegistryConfirms(t *testing.T) {
	o := newOutage(t)
	o.set("ledger", 1001)
	m := o.startRouter("linkerd-2018", "", "heartbeat")
	m.await(t, "first list", func(table map[string]string, s State) bool { return table["ledger"] == "1001" && s.Synced })
	o.goDark()
	m.runner.Testify(Evidence{Kind: Unreachable, Service: "ledger", Addr: "127.0.0.1:1001"})
	m.await(t, "etcd is believed", func(_ map[string]string, s State) bool {
		return s.Detail == "watching etcd"
	})
	if why := m.firstDoubt(); !strings.Contains(why, Unreachable.String()) {
		t.Errorf("first doubted for %q, want the evidence", why)
	}
}
