package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/apiserver"
	"breakbank/platform/deploy"
	"breakbank/platform/registry"
)

// echo is an instance that greets with its name and holds its connections.
type echo struct {
	env Env

	mu       sync.Mutex
	held     []net.Conn
	stopped  bool
	draining time.Duration
}

func (e *echo) Serve() error {
	for {
		conn, err := e.env.Listener.Accept()
		if err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.stopped {
				return nil
			}
			return err
		}
		fmt.Fprintln(conn, e.env.Instance)
		e.mu.Lock()
		if e.stopped {
			conn.Close()
		}
		e.held = append(e.held, conn)
		e.mu.Unlock()
	}
}

func (e *echo) Drain(ctx context.Context) error {
	rest(ctx, e.draining)
	e.Kill()
	return ctx.Err()
}

func (e *echo) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	e.env.Listener.Close()
	for _, conn := range e.held {
		conn.Close()
	}
	e.held = nil
}

// machineRoom is a real registry, API servers and controllers, and nodes.
type machineRoom struct {
	t      *testing.T
	ctx    context.Context
	store  *registry.Store
	apis   []string
	agents map[string]*Agent
	fixed  map[string]string // address of the fixed service, by node
	others *others           // what agents tell, and make besides instances

	mu     sync.Mutex
	broken string // the version whose instances do not start
}

func newMachineRoom(t *testing.T, members int, nodes ...string) *machineRoom {
	t.Helper()
	return newMachineRoomWith(t, members, nil, nodes...)
}

// newMachineRoomWith lets alter, if it is not nil, change what agents are
// started with.
func newMachineRoomWith(t *testing.T, members int, alter func(*AgentConfig), nodes ...string) *machineRoom {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	m := &machineRoom{t: t, ctx: ctx, agents: map[string]*Agent{}, fixed: map[string]string{}, others: newOthers()}
	cluster, err := registry.StartCluster(ctx, registry.ClusterConfig{
		Dir: t.TempDir(), Members: members, Address: testPorts.Address,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	newClient := func() *clientv3.Client {
		client, err := clientv3.New(clientv3.Config{Endpoints: cluster.ClientAddrs(), Logger: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	m.store = registry.NewStore(newClient())
	m.create("configmaps", &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: RouterConfigMap}, Data: map[string]string{RouterConfigKey: plainConfig},
	})
	for _, zone := range []string{"a", "b"} {
		l := listen(t)
		server, err := apiserver.Start(ctx, apiserver.Config{
			Name: "apiserver-" + zone, Zone: zone, Listener: l, EtcdClient: "pinned",
			EtcdEndpoint: func(string) string { return cluster.ClientAddrs()[0] },
			Log:          slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		m.apis = append(m.apis, "http://"+l.Addr().String())
	}
	client := newClient()
	controllers, err := deploy.Start(ctx, deploy.Config{Client: client, Store: registry.NewStore(client)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(controllers.Close)
	for _, name := range nodes {
		m.create("nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
		edge := listen(t)
		m.fixed[name] = edge.Addr().String()
		cfg := AgentConfig{
			Name: name, Zone: name[:1], APIServers: m.apis, Store: registry.NewStore(newClient()),
			Constructors: map[string]Constructor{"ledger": m.newEcho, "edge": m.newEcho},
			NewRouter: func(_ []byte, l net.Listener) (Router, error) {
				r := &fakeRouter{number: 1, listener: l, ready: make(chan struct{}), done: make(chan struct{})}
				go r.serve()
				return r, nil
			},
			RouterListener: listen(t), Fixed: map[string]*net.TCPListener{"edge": edge},
			Listen:  func() (*net.TCPListener, error) { return listen(t), nil },
			DataDir: t.TempDir(), ConfigSnapshotDir: t.TempDir(),
			OnServing: m.others.onServing, NewCaller: m.others.newCaller,
		}
		if alter != nil {
			alter(&cfg)
		}
		agent, err := Start(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(agent.Close)
		m.agents[name] = agent
	}
	return m
}

func (m *machineRoom) newEcho(_ context.Context, env Env) (Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if env.Version == m.broken {
		return nil, errors.New("this version is broken")
	}
	return &echo{env: env, draining: 100 * time.Millisecond}, nil
}

func (m *machineRoom) create(resource string, obj registry.Object) {
	m.t.Helper()
	if err := m.store.Create(m.ctx, resource, obj); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machineRoom) deploy(service, version string, nodes ...string) {
	m.t.Helper()
	labels, replicas := map[string]string{deploy.LabelApp: service}, int32(len(nodes))
	m.create("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: service}, Spec: corev1.ServiceSpec{Selector: labels}})
	m.create("deployments", &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
			Labels:      labels,
			Annotations: map[string]string{deploy.AnnotationVersion: version, deploy.AnnotationNodes: strings.Join(nodes, ",")},
		}}},
	})
	m.awaitComplete(service)
}

func (m *machineRoom) change(service string, alter func(*appsv1.Deployment)) {
	m.t.Helper()
	await(m.t, "change of "+service, func() bool {
		var d appsv1.Deployment
		if err := m.store.Get(m.ctx, "deployments", service, &d); err != nil {
			m.t.Fatal(err)
		}
		alter(&d)
		return m.store.Update(m.ctx, "deployments", &d) == nil
	})
}

func (m *machineRoom) awaitComplete(service string) {
	m.t.Helper()
	await(m.t, "deployment "+service+" complete", func() bool {
		var d appsv1.Deployment
		return m.store.Get(m.ctx, "deployments", service, &d) == nil && deploy.Complete(&d)
	})
}

// podsRevision is how far the registry's record of pods has got.
func (m *machineRoom) podsRevision() int64 {
	m.t.Helper()
	_, revision, err := m.store.ListRaw(m.ctx, "pods", registry.ReadOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	return revision
}

// awaitPod waits until some pod has said something, after a revision. It sees
// each change: a pod that has failed is deleted at once, and who only looks now
// and then may never meet it.
func (m *machineRoom) awaitPod(what string, since int64, says string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.ctx, testLimit)
	defer cancel()
	events, err := m.store.Watch(ctx, "pods", since+1)
	if err != nil {
		m.t.Fatal(err)
	}
	for event := range events {
		if event.Err != nil {
			m.t.Fatalf("%s: %v", what, event.Err)
		}
		if strings.Contains(string(event.Raw.JSON), says) {
			return
		}
	}
	m.t.Fatalf("%s: not within %v", what, testLimit)
}

// endpoints are the addresses that the registry names, in order.
func (m *machineRoom) endpoints(service string) []string {
	m.t.Helper()
	var record registry.Endpoints
	if err := m.store.Get(m.ctx, "endpoints", service, &record); err != nil {
		return nil
	}
	var addresses []string
	for _, subset := range record.Subsets {
		addresses = append(addresses, fmt.Sprintf("%s:%d", subset.Addresses[0].IP, subset.Ports[0].Port))
	}
	slices.Sort(addresses)
	return addresses
}

// ask returns the name of the instance at an address, and the connection.
func (m *machineRoom) ask(address string) (string, net.Conn) {
	m.t.Helper()
	conn := dial(m.t, address)
	var name string
	if _, err := fmt.Fscanln(conn, &name); err != nil {
		m.t.Fatalf("ask %s: %v", address, err)
	}
	return name, conn
}

func refused(address string) bool {
	conn, err := net.DialTimeout("tcp4", address, time.Second)
	if err != nil {
		return true
	}
	conn.Close()
	return false
}

func TestRolloutMovesInstances(t *testing.T) {
	t.Parallel()
	m := newMachineRoom(t, 3, "a2", "b2", "c2")
	m.deploy("ledger", "v1", "a2", "b2", "c2")
	await(t, "three endpoints", func() bool { return len(m.endpoints("ledger")) == 3 })
	before := m.endpoints("ledger")
	for _, address := range before {
		name, conn := m.ask(address)
		conn.Close()
		if !strings.HasPrefix(name, "ledger-v1-") {
			t.Errorf("%s is served by %q", address, name)
		}
	}
	start := time.Now()
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "v2" })
	m.awaitComplete("ledger")
	t.Logf("rolled out in %v", time.Since(start))
	var after []string
	await(t, "three other endpoints", func() bool {
		after = m.endpoints("ledger")
		return len(after) == 3 && !slices.ContainsFunc(before, func(old string) bool { return slices.Contains(after, old) })
	})
	for _, address := range before {
		// A process that a test beside this one is just starting may have a copy of
		// the socket for a moment.
		await(t, "nobody listens at the old address "+address, func() bool { return refused(address) })
	}
	for _, address := range after {
		name, conn := m.ask(address)
		conn.Close()
		if !strings.HasPrefix(name, "ledger-v2-") {
			t.Errorf("%s is served by %q", address, name)
		}
	}
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	m.awaitComplete("ledger")
	for name, agent := range m.agents {
		if left := agent.Instances(); len(left) != 0 {
			t.Errorf("on %s is left %v", name, left)
		}
	}
}

func TestKilledInstanceIsReplacedElsewhere(t *testing.T) {
	m := newMachineRoom(t, 1, "a2")
	m.deploy("ledger", "v1", "a2")
	await(t, "an endpoint", func() bool { return len(m.endpoints("ledger")) == 1 })
	// The agent tells the registry first, and itself after that.
	await(t, "a ready instance", func() bool { return m.agents["a2"].Instances()[0].Ready })
	victim := m.agents["a2"].Instances()[0]
	name, conn := m.ask(victim.Address)
	if name != victim.Name {
		t.Fatalf("%+v says it is %q", victim, name)
	}
	if err := m.agents["a2"].KillInstance(victim.Name); err != nil {
		t.Fatal(err)
	}
	if !ended(conn) || !refused(victim.Address) {
		t.Error("the killed instance serves")
	}
	if err := m.agents["a2"].KillInstance("nobody"); err == nil {
		t.Error("nobody was killed")
	}
	await(t, "another endpoint", func() bool {
		now := m.endpoints("ledger")
		return len(now) == 1 && now[0] != victim.Address
	})
	name, conn = m.ask(m.endpoints("ledger")[0])
	conn.Close()
	if name == victim.Name {
		t.Error("the instance that took its place has its name")
	}
	var pods []registry.Raw
	await(t, "the failed pod to go", func() bool {
		pods, _, _ = m.store.ListRaw(m.ctx, "pods", registry.ReadOptions{})
		return len(pods) == 1 && pods[0].Name == name
	})
	if !strings.Contains(string(pods[0].JSON), deploy.AnnotationRestarts) {
		t.Errorf("the new pod does not know that one failed before it: %s", pods[0].JSON)
	}
}

func TestFixedAddressStaysThroughARollout(t *testing.T) {
	t.Parallel()
	m := newMachineRoom(t, 1, "a1")
	m.deploy("edge", "v1", "a1")
	address := m.fixed["a1"]
	if got := m.agents["a1"].Instances()[0].Address; got != address {
		t.Errorf("the instance is at %s, want %s", got, address)
	}
	name, conn := m.ask(address)
	if !strings.HasPrefix(name, "edge-v1-") {
		t.Errorf("served by %q", name)
	}
	m.change("edge", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "v2" })
	m.awaitComplete("edge")
	if !ended(conn) {
		t.Error("the old instance's connection lives")
	}
	name, conn = m.ask(address)
	conn.Close()
	if !strings.HasPrefix(name, "edge-v2-") {
		t.Errorf("served by %q", name)
	}
}

func TestBrokenVersionTakesNobodyAway(t *testing.T) {
	t.Parallel()
	m := newMachineRoom(t, 1, "a2", "b2")
	m.deploy("ledger", "v1", "a2", "b2")
	await(t, "two endpoints", func() bool { return len(m.endpoints("ledger")) == 2 })
	before := m.endpoints("ledger")
	m.mu.Lock()
	m.broken = "v2"
	m.mu.Unlock()
	since := m.podsRevision()
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "v2" })
	m.awaitPod("several attempts", since, deploy.AnnotationRestarts+`":"2"`)
	if now := m.endpoints("ledger"); !slices.Equal(now, before) {
		t.Errorf("endpoints %v, want %v", now, before)
	}
	m.change("ledger", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[deploy.AnnotationVersion] = "v1" })
	m.awaitComplete("ledger")
	if now := m.endpoints("ledger"); !slices.Equal(now, before) {
		t.Errorf("rolled back, endpoints are %v, want %v", now, before)
	}
}

func TestAgentCorrectsWhoTookItForDead(t *testing.T) {
	t.Parallel()
	m := newMachineRoom(t, 1, "a2")
	m.deploy("ledger", "v1", "a2")
	await(t, "an endpoint", func() bool { return len(m.endpoints("ledger")) == 1 })
	name := m.agents["a2"].Instances()[0].Name
	await(t, "the pod being marked", func() bool {
		var pod corev1.Pod
		if err := m.store.Get(m.ctx, "pods", name, &pod); err != nil {
			t.Fatal(err)
		}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: deploy.ReasonNodeSilent}}
		return m.store.Update(m.ctx, "pods", &pod) == nil
	})
	await(t, "the pod being ready again", func() bool {
		var pod corev1.Pod
		err := m.store.Get(m.ctx, "pods", name, &pod)
		return err == nil && pod.Status.Conditions[0].Status == corev1.ConditionTrue
	})
	var lease registry.Raw
	await(t, "the node's lease", func() bool {
		var err error
		lease, err = m.store.GetRaw(m.ctx, "leases", "a2", registry.ReadOptions{})
		return err == nil
	})
	if !strings.Contains(string(lease.JSON), `"leaseDurationSeconds":10`) {
		t.Errorf("lease %s", lease.JSON)
	}
}

func TestAgentFollowsPodsElsewhereWhenItsOwnAPIServerIsAway(t *testing.T) {
	t.Parallel()
	m := newMachineRoom(t, 1)
	away := listen(t)
	away.Close()
	agent, err := Start(m.ctx, AgentConfig{
		Name: "a2", Zone: "a", APIServers: append([]string{"http://" + away.Addr().String()}, m.apis...), Store: m.store,
		Constructors:   map[string]Constructor{"ledger": m.newEcho},
		NewRouter:      func([]byte, net.Listener) (Router, error) { return nil, errors.New("no router today") },
		RouterListener: listen(t), Listen: func() (*net.TCPListener, error) { return listen(t), nil }, DataDir: t.TempDir(),
		ConfigSnapshotDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	m.deploy("ledger", "v1", "a2")
	await(t, "the router's refusal", func() bool { return strings.Contains(agent.RouterStatus().Detail, "no router today") })
}
