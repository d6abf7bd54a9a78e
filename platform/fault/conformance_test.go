package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"breakbank/platform/registry"
)

// server is something that listens and can be restarted at its address: the
// conformance test's instances, routers and API servers.
type server struct {
	mu          sync.Mutex
	listener    net.Listener
	open        []net.Conn
	work        sync.WaitGroup
	incarnation int64
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.start(listen(t))
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = l
	s.incarnation++
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open = append(s.open, conn)
			s.mu.Unlock()
			_, _ = conn.Write([]byte{0}) // Whoever has left needs no answer.
		}
	})
}

func (s *server) stop() {
	s.mu.Lock()
	s.listener.Close()
	s.mu.Unlock()
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.open {
		conn.Close()
	}
	s.open = nil
}

func (s *server) restart() error {
	address := s.listener.Addr().String()
	s.stop()
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	s.start(l)
	return nil
}

func (s *server) serves() bool {
	s.mu.Lock()
	address := s.listener.Addr().String()
	s.mu.Unlock()
	conn, err := net.DialTimeout("tcp4", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (s *server) starts() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.incarnation
}

// victims is a small platform: real sockets and a real registry.
type victims struct {
	links     map[string]*Relay
	instance  map[string]*server
	router    map[string]*server
	apiServer map[string]*server
	cluster   *registry.Cluster
	client    *clientv3.Client
	supervised
}

func newVictims(t *testing.T) *victims {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	t.Cleanup(cancel)
	cluster, err := registry.StartCluster(ctx, registry.ClusterConfig{
		Dir: t.TempDir(), Members: 3, Address: testPorts.Address,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	client, err := clientv3.New(clientv3.Config{Endpoints: cluster.ClientAddrs(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	v := &victims{
		links:     map[string]*Relay{},
		instance:  map[string]*server{"ledger-v1-1-a2": startServer(t)},
		router:    map[string]*server{"a2": startServer(t)},
		apiServer: map[string]*server{"apiserver-a": startServer(t), "apiserver-b": startServer(t)},
		cluster:   cluster, client: client,
		supervised: startProcesses(t, "etcd-a1", "apiserver-a"),
	}
	target := newEchoServer(t).Addr().String()
	for _, name := range []string{"apiserver-a/etcd/endpoints", "apiserver-b/etcd/endpoints"} {
		relay := NewRelay(listen(t), func() string { return target }, name)
		t.Cleanup(func() { _ = relay.Close() })
		v.links[name] = relay
	}
	record := &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: "ledger"}, Subsets: []corev1.EndpointSubset{{
		Addresses: []corev1.EndpointAddress{{IP: "127.0.0.1"}}, Ports: []corev1.EndpointPort{{Port: 1}},
	}}}
	if err := v.Store().Create(ctx, "endpoints", record); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *victims) Links() map[string]Link {
	links := map[string]Link{}
	for name, relay := range v.links {
		links[name] = relay
	}
	return links
}
func (v *victims) Instances() []string { return slices.Sorted(maps.Keys(v.instance)) }
func (v *victims) KillInstance(_ context.Context, name string) error {
	v.instance[name].stop()
	return nil
}

func (v *victims) InstanceAddress(name string) (string, bool) {
	s, known := v.instance[name]
	if !known || !s.serves() {
		return "", false
	}
	return s.listener.Addr().String(), true
}
func (v *victims) Routers() []string { return slices.Sorted(maps.Keys(v.router)) }
func (v *victims) RestartRouter(_ context.Context, node string) error {
	return v.router[node].restart()
}
func (v *victims) RouterRuns(node string) bool         { return v.router[node].serves() }
func (v *victims) RouterIncarnation(node string) int64 { return v.router[node].starts() }
func (v *victims) APIServers() []string                { return slices.Sorted(maps.Keys(v.apiServer)) }

func (v *victims) RestartAPIServer(_ context.Context, name string) error {
	return v.apiServer[name].restart()
}
func (v *victims) APIServerIncarnation(name string) int64 { return v.apiServer[name].starts() }

// APIServerRevision plays an API server whose endpoints are dark.
func (v *victims) APIServerRevision(_, resource string) int64 {
	if resource == "pods" {
		return 200
	}
	return 100
}

func (v *victims) Members() []string {
	var names []string
	for _, m := range v.cluster.Members() {
		names = append(names, m.Name)
	}
	return names
}

func (v *victims) StopMember(ctx context.Context, name string) error {
	return v.cluster.StopMember(ctx, name)
}

func (v *victims) StartMember(ctx context.Context, name string) error {
	return v.cluster.StartMember(ctx, name)
}
func (v *victims) RegistryServes(ctx context.Context) bool { return v.cluster.Serves(ctx) == nil }
func (v *victims) Store() *registry.Store                  { return registry.NewStore(v.client) }

func (v *victims) subsets(ctx context.Context) string {
	raw, err := v.Store().GetRaw(ctx, "endpoints", "ledger", registry.ReadOptions{})
	if err != nil {
		return err.Error()
	}
	_, after, _ := strings.Cut(string(raw.JSON), `"subsets":`)
	return after
}

// scene is how the conformance test meets one kind of fault: what it needs
// beforehand, what makes the victim show it, and how the victim is afterwards.
type scene struct {
	target  string
	params  map[string]string
	before  func(*testing.T, *victims) (provoke func())
	healthy func(context.Context, *victims) error
}

// throughLinks opens a connection through each link and talks on it.
func throughLinks(t *testing.T, v *victims) func() {
	var conns []net.Conn
	for _, name := range linkNames(v) {
		conn := link{v.links[name], t}.dial()
		if err := echoes(conn, "before"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return func() {
		for _, conn := range conns {
			_, _ = io.WriteString(conn, "talk")
		}
	}
}

func linksCarry(_ context.Context, v *victims) error {
	for name, relay := range v.links {
		conn, err := net.Dial("tcp4", relay.Addr())
		if err == nil {
			err = echoes(conn, "after")
			conn.Close()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func endpointsGood(ctx context.Context, v *victims) error {
	if now := v.subsets(ctx); !strings.Contains(now, "127.0.0.1") {
		return errors.New("subsets are " + now)
	}
	return nil
}

func registryServes(ctx context.Context, v *victims) error {
	if !v.RegistryServes(ctx) {
		return errors.New("no linearizable read succeeds")
	}
	return nil
}

func allProcessesRun(ctx context.Context, v *victims) error { return processesRun(ctx, v) }

func alwaysHealthy(context.Context, *victims) error { return nil }

var scenes = map[string]scene{
	"link-blackhole": {target: "apiserver-*/etcd/endpoints", before: throughLinks, healthy: linksCarry},
	"link-latency": {
		target: "apiserver-a/etcd/endpoints,apiserver-b/etcd/*", params: map[string]string{"latency_ms": "5", "jitter_ms": "5"},
		before: throughLinks, healthy: linksCarry,
	},
	"link-reset": {target: "apiserver-a/etcd/endpoints", before: throughLinks, healthy: linksCarry},
	// What takes the place of a killed instance is for the node agents.
	"instance-kill": {target: "ledger-*", healthy: alwaysHealthy},
	"router-restart": {target: "a2", healthy: func(_ context.Context, v *victims) error {
		if !v.router["a2"].serves() {
			return errors.New("the router is down")
		}
		return nil
	}},
	"apiserver-restart": {target: "apiserver-*", healthy: func(_ context.Context, v *victims) error {
		for name, s := range v.apiServer {
			if !s.serves() {
				return errors.New(name + " is down")
			}
		}
		return nil
	}},
	"registry-quorum-loss": {target: "registry", healthy: registryServes},
	"endpoints-empty":      {target: "ledger", healthy: endpointsGood},
	"endpoints-null":       {target: "ledger", healthy: endpointsGood},
	"process-kill":         {target: "etcd-*", healthy: allProcessesRun},
	"process-pause":        {target: "etcd-a1,apiserver-*", healthy: allProcessesRun},
}

// Every fault of the table is injected into real victims, shows on them, is
// cleared, and leaves them healthy.
func TestEveryFaultShowsAndEnds(t *testing.T) {
	v := newVictims(t)
	for _, kind := range Table {
		t.Run(kind.Name, func(t *testing.T) {
			s, known := scenes[kind.Name]
			if !known {
				t.Fatal("the conformance test has no scene for it")
			}
			if kind.About == "" || len(kind.Targets(v)) == 0 {
				t.Fatal("it does not say what it does, or to what")
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*testLimit)
			defer cancel()
			if err := s.healthy(ctx, v); err != nil {
				t.Fatalf("not healthy beforehand: %v", err)
			}
			provoke := func() {}
			if s.before != nil {
				provoke = s.before(t, v)
			}
			i := NewInjector(v)
			injected, err := i.Inject(ctx, kind.Name, s.target, s.params)
			if err != nil {
				t.Fatal(err)
			}
			if injected.InjectedAt.IsZero() || !injected.ClearedAt.IsZero() {
				t.Errorf("injected as %+v", injected)
			}
			await(t, "proof", func() bool { provoke(); return i.List()[0].Proof.Count > 0 })
			if kind.Momentary {
				await(t, "health by itself", func() bool { return s.healthy(ctx, v) == nil })
			} else if _, err := i.Inject(ctx, kind.Name, s.target, s.params); err == nil {
				t.Error("injected twice")
			}
			cleared, err := i.Clear(ctx, kind.Name, s.target)
			if err != nil {
				t.Fatal(err)
			}
			if cleared.Proof.Count == 0 || cleared.Proof.Evidence == "" || cleared.ClearedAt.IsZero() {
				t.Errorf("cleared as %+v", cleared)
			}
			t.Log(cleared.Proof.Evidence)
			if err := s.healthy(ctx, v); err != nil {
				t.Errorf("not healthy afterwards: %v", err)
			}
			if _, err := i.Clear(ctx, kind.Name, s.target); err == nil {
				t.Error("cleared twice")
			}
		})
	}
}

func TestFaultsOnRecordsWriteWhatTheySay(t *testing.T) {
	t.Parallel()
	v := newVictims(t)
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	i := NewInjector(v)
	for name, want := range map[string]string{"endpoints-null": "null", "endpoints-empty": "[]"} {
		if _, err := i.Inject(ctx, name, "ledger", nil); err != nil {
			t.Fatal(err)
		}
		if now := v.subsets(ctx); !strings.HasPrefix(now, want) {
			t.Errorf("%s: subsets are %s", name, now)
		}
		if _, err := i.Clear(ctx, name, ""); err != nil {
			t.Fatal(err)
		}
	}
	// Newer knowledge is not overwritten by what was true before.
	if _, err := i.Inject(ctx, "endpoints-null", "ledger", nil); err != nil {
		t.Fatal(err)
	}
	var record registry.Endpoints
	if err := v.Store().Get(ctx, "endpoints", "ledger", &record); err != nil {
		t.Fatal(err)
	}
	record.Subsets = []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: "127.0.0.9"}}}}
	if err := v.Store().Update(ctx, "endpoints", &record); err != nil {
		t.Fatal(err)
	}
	if err := i.ClearAll(ctx); err != nil {
		t.Fatal(err)
	}
	if now := v.subsets(ctx); !strings.Contains(now, "127.0.0.9") {
		t.Errorf("subsets are %s, want what was written last", now)
	}
}

func TestQuorumIsLostByTheFewestMembers(t *testing.T) {
	for _, c := range []struct{ members, stopped int }{{1, 1}, {3, 2}, {5, 3}, {9, 5}} {
		if got := len(tooMany(make([]string, c.members))); got != c.stopped {
			t.Errorf("of %d members %d are stopped, want %d", c.members, got, c.stopped)
		}
	}
}

func TestWhatIsNotKnownIsRefusedWithWhatIs(t *testing.T) {
	v := &victims{links: map[string]*Relay{}, router: map[string]*server{"a2": {incarnation: 1}}}
	i := NewInjector(v)
	for _, c := range []struct {
		fault, target string
		params        map[string]string
		want          string
	}{
		{"link-blackout", "x", nil, "link-blackhole, link-latency"},
		{"router-restart", "a9", nil, "its targets are a2"},
		{"router-restart", "a2,c9", nil, `"c9"`},
		{"router-restart", "[", nil, filepath.ErrBadPattern.Error()},
		{"router-restart", "a2", map[string]string{"latency_ms": "5"}, "takes none"},
	} {
		if _, err := i.Inject(context.Background(), c.fault, c.target, c.params); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s at %s: %v, want %q in it", c.fault, c.target, err, c.want)
		}
	}
	if _, err := i.Clear(context.Background(), "router-restart", "a2"); err == nil {
		t.Error("cleared what was never injected")
	}
	if left := i.List(); len(left) != 0 {
		t.Errorf("what was refused is listed: %v", left)
	}
}

func TestFaultBeginsAtAllItsTargetsOrAtNone(t *testing.T) {
	l := newLink(t)
	quiet := NewRelay(listen(t), func() string { return "" }, "quiet")
	defer func() { _ = quiet.Close() }()
	conn := l.dial()
	if err := echoes(conn, "before"); err != nil {
		t.Fatal(err)
	}
	i := NewInjector(&victims{links: map[string]*Relay{"busy": l.Relay, "quiet": quiet}})
	if _, err := i.Inject(context.Background(), "link-blackhole", "*", nil); err == nil {
		t.Error("injected, although nothing is connected through one of the links")
	}
	if left := i.List(); len(left) != 0 {
		t.Errorf("listed: %v", left)
	}
	if err := echoes(l.dial(), "after"); err != nil {
		t.Error(err)
	}
}

// One target that shows nothing leaves the whole fault without proof.
func TestProofNeedsEveryTarget(t *testing.T) {
	shown, silent := selfHealing{Proof{Count: 5, Evidence: "five"}}, selfHealing{Proof{Evidence: "none"}}
	for _, c := range []struct {
		actives []Active
		want    int64
	}{{[]Active{shown, shown}, 10}, {[]Active{shown, silent}, 0}} {
		r := record{actives: c.actives}
		if got := r.proof(); got.Count != c.want {
			t.Errorf("proof %+v, want %d", got, c.want)
		}
	}
}

func TestParametersAreRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{{"20", 20, true}, {"0", 0, true}, {"-1", 0, false}, {"x", 0, false}, {"60001", 0, false}} {
		got, err := number(map[string]string{"latency_ms": c.text}, "latency_ms", latencyMsDefault, latencyMsMax)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("%q: %d, %v", c.text, got, err)
		}
	}
	if got, err := number(nil, "latency_ms", latencyMsDefault, latencyMsMax); got != latencyMsDefault || err != nil {
		t.Errorf("default %d, %v", got, err)
	}
}
