package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/ports"
	"breakbank/platform/registry"
)

const testLimit = 30 * time.Second

var discard = slog.New(slog.DiscardHandler)

// platform is a real registry with the controllers on it, and agents that
// start and drain nothing, at once.
type platform struct {
	t        *testing.T
	cluster  *registry.Cluster
	client   *clientv3.Client
	store    *registry.Store
	ctx      context.Context
	nextPort int
}

func startPlatform(t *testing.T, members int) *platform {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*testLimit)
	t.Cleanup(cancel)
	cluster, err := registry.StartCluster(ctx, registry.ClusterConfig{
		Dir: t.TempDir(), Members: members,
		Address: ports.New().Address,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	p := &platform{t: t, cluster: cluster, ctx: ctx, nextPort: 20000}
	p.client = p.dial()
	p.store = registry.NewStore(p.client)
	return p
}

func (p *platform) dial() *clientv3.Client {
	p.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: p.cluster.ClientAddrs(), Logger: zap.NewNop()})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = client.Close() })
	return client
}

func (p *platform) control() {
	p.t.Helper()
	client := p.dial()
	controllers, err := Start(p.ctx, Config{Client: client, Store: registry.NewStore(client)})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(controllers.Close)
}

// playAgents marks pods ready and removes them once they end.
func (p *platform) playAgents() {
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	p.t.Cleanup(func() { cancel(); <-done })
	v := newView()
	m := &mirror{resource: "pods", store: p.store, view: v, log: discard, listed: make(chan struct{})}
	go func() {
		defer close(done)
		followed := make(chan struct{})
		go func() { defer close(followed); m.run(ctx) }()
		loop(ctx, v.subscribe("pods"), func(ctx context.Context) time.Duration {
			w := writer{store: p.store, log: discard}
			for _, pod := range v.pods() {
				switch {
				case isTerminating(pod):
					_ = w.remove(ctx, "pods", pod.Name)
				case !isReady(pod) && !isFailed(pod):
					p.nextPort++
					serving := setReady(pod, corev1.ConditionTrue, "", time.Now())
					serving.Status.Phase = corev1.PodRunning
					serving.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: ContainerID(fmt.Sprintf("127.0.0.1:%d", p.nextPort))}}
					if done, _ := w.update(ctx, "pods", serving); done {
						v.written("pods", serving)
					}
				}
			}
			return 0
		})
		<-followed
	}()
}

func (p *platform) create(resource string, obj registry.Object) {
	p.t.Helper()
	if err := p.store.Create(p.ctx, resource, obj); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) deploy(name, version string, replicas int32) {
	p.t.Helper()
	p.create("services", testService(name))
	p.create("deployments", newWorld(name, version, "a2,b2,c2", replicas).deployment)
	p.awaitComplete(name)
}

// change alters a deployment and waits until that is carried out.
func (p *platform) change(name string, alter func(*appsv1.Deployment)) time.Duration {
	p.t.Helper()
	start := time.Now()
	p.await("change of "+name, func() bool {
		var d appsv1.Deployment
		if err := p.store.Get(p.ctx, "deployments", name, &d); err != nil {
			p.t.Fatal(err)
		}
		alter(&d)
		return p.store.Update(p.ctx, "deployments", &d) == nil
	})
	p.awaitComplete(name)
	return time.Since(start)
}

func (p *platform) awaitComplete(name string) {
	p.t.Helper()
	p.await("deployment "+name+" complete", func() bool {
		var d appsv1.Deployment
		return p.store.Get(p.ctx, "deployments", name, &d) == nil && Complete(&d)
	})
}

func (p *platform) await(what string, is func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, testLimit)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s: not within %v", what, testLimit)
		case <-again.C:
		}
	}
}

// stored is a record as it lies in etcd; empty when there is none.
func (p *platform) stored(resource, name string) string {
	p.t.Helper()
	raw, err := p.store.GetRaw(p.ctx, resource, name, registry.ReadOptions{})
	if errors.Is(err, registry.ErrNotFound) {
		return ""
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return string(raw.JSON)
}

func (p *platform) addresses(service string) []int32 {
	p.t.Helper()
	var record registry.Endpoints
	if err := p.store.Get(p.ctx, "endpoints", service, &record); err != nil {
		return nil
	}
	var ports []int32
	for _, subset := range record.Subsets {
		ports = append(ports, subset.Ports[0].Port)
	}
	return ports
}

func (p *platform) namingKeys() int64 {
	p.t.Helper()
	got, err := p.client.Get(p.ctx, namingPrefix+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		p.t.Fatal(err)
	}
	return got.Count
}

func (p *platform) revision() int64 {
	p.t.Helper()
	got, err := p.client.Get(p.ctx, "/none")
	if err != nil {
		p.t.Fatal(err)
	}
	return got.Header.Revision
}

func TestDeployRollBackAndScaleToZero(t *testing.T) {
	p := startPlatform(t, 3)
	p.control()
	p.playAgents()
	p.deploy("ledger", "v1", 3)
	p.await("three endpoints", func() bool { return len(p.addresses("ledger")) == 3 && p.namingKeys() == 3 })
	first := p.addresses("ledger")

	took := p.change("ledger", func(d *appsv1.Deployment) { d.Spec.Template.Annotations[AnnotationVersion] = "v2" })
	t.Logf("rolled out in %v", took)
	p.await("three new endpoints", func() bool { return len(p.addresses("ledger")) == 3 && disjoint(first, p.addresses("ledger")) })
	second := p.addresses("ledger")

	p.change("ledger", func(d *appsv1.Deployment) {
		d.Spec.Template.Annotations[AnnotationVersion] = d.Annotations[AnnotationPreviousVersion]
	})
	p.await("a third set of endpoints", func() bool {
		now := p.addresses("ledger")
		return len(now) == 3 && disjoint(first, now) && disjoint(second, now)
	})

	p.change("ledger", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	p.await("explicit null", func() bool { return strings.Contains(p.stored("endpoints", "ledger"), `"subsets":null`) })
	p.await("an empty slice and no naming keys", func() bool {
		slices, _, err := p.store.ListRaw(p.ctx, "endpointslices", registry.ReadOptions{})
		return err == nil && len(slices) == 1 && slices[0].Name == "ledger" && p.namingKeys() == 0
	})

	if err := p.store.Delete(p.ctx, "services", "ledger"); err != nil {
		t.Fatal(err)
	}
	if left := p.stored("endpoints", "ledger") + p.stored("endpointslices", "ledger"); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

func TestRecordsAreWrittenOnlyWhenTheyChange(t *testing.T) {
	p := startPlatform(t, 1)
	static := testService("background")
	static.Spec.Selector = nil
	p.create("services", static)
	p.create("endpoints", &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: "background"}})
	p.control()
	p.playAgents()
	p.deploy("ledger", "v1", 2)
	p.await("two endpoints", func() bool { return len(p.addresses("ledger")) == 2 && p.namingKeys() == 2 })
	before := p.stored("endpoints", "ledger")

	// A record that somebody breaks stays broken: here is no repair loop.
	broken := strings.Replace(before, `"subsets":[`, `"subsets":null,"was":[`, 1)
	if _, err := p.store.PutRaw(p.ctx, "endpoints", "ledger", []byte(broken)); err != nil {
		t.Fatal(err)
	}
	// Another service's life goes on, so the controllers do look.
	p.deploy("payments", "v1", 1)
	p.await("endpoints of payments", func() bool { return len(p.addresses("payments")) == 1 && p.namingKeys() == 3 })
	if p.stored("endpoints", "ledger") != broken {
		t.Error("the broken record was repaired although nothing changed about its pods")
	}
	// With a change of its pods it is written anew.
	p.change("ledger", func(d *appsv1.Deployment) { *d.Spec.Replicas = 1 })
	p.await("one endpoint", func() bool { return len(p.addresses("ledger")) == 1 && p.namingKeys() == 2 })

	// The slices, one a pod, have a writer of their own.
	p.await("a slice of each", func() bool {
		slices, _, err := p.store.ListRaw(p.ctx, "endpointslices", registry.ReadOptions{})
		return err == nil && len(slices) == 2
	})

	// In rest nobody writes, however often everybody is made to look. The
	// fence is written by the same loops, after what would be wrong.
	before = p.versions()
	for i := range 3 {
		label := fmt.Sprintf(`{"metadata":{"name":"nobody","labels":{"n":"%d"}},"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}}`, i)
		if _, err := p.store.PutRaw(p.ctx, "nodes", "nobody", []byte(label)); err != nil {
			t.Fatal(err)
		}
	}
	p.create("pods", testPod("stranger", "zz-fence", "127.0.0.1:1", true))
	p.create("services", testService("zz-fence"))
	p.await("the fence", func() bool {
		return len(p.addresses("zz-fence")) == 1 && p.namingKeys() == 3 && p.stored("endpointslices", "stranger") != ""
	})
	if after := p.versions(); after != before {
		t.Errorf("written at rest: were\n%s, are\n%s", before, after)
	}
}

// versions are the revisions of all records and deployments but the fence's.
func (p *platform) versions() string {
	p.t.Helper()
	var b strings.Builder
	for _, resource := range []string{"endpoints", "endpointslices", "deployments"} {
		raws, _, err := p.store.ListRaw(p.ctx, resource, registry.ReadOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, raw := range raws {
			if raw.Name != "zz-fence" && raw.Name != "stranger" {
				fmt.Fprintf(&b, "%s/%s %d\n", resource, raw.Name, raw.Revision)
			}
		}
	}
	return b.String()
}

func TestControllersComeBackAfterTheRegistryWasAway(t *testing.T) {
	p := startPlatform(t, 1)
	p.control()
	p.playAgents()
	p.deploy("ledger", "v1", 1)
	name := p.cluster.Members()[0].Name
	if err := p.cluster.StopMember(p.ctx, name); err != nil {
		t.Fatal(err)
	}
	if err := p.cluster.StartMember(p.ctx, name); err != nil {
		t.Fatal(err)
	}
	p.change("ledger", func(d *appsv1.Deployment) { *d.Spec.Replicas = 2 })
	p.await("two endpoints", func() bool { return len(p.addresses("ledger")) == 2 })
}

func TestMirrorListsAgainAfterACompaction(t *testing.T) {
	p := startPlatform(t, 1)
	pod := testPod("one", "x", "", false)
	p.create("pods", pod)
	v := newView()
	m := &mirror{resource: "pods", store: p.store, view: v, log: discard, listed: make(chan struct{})}
	// What the mirror listed is compacted away before it watches from there.
	first, err := m.list(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pod.SetResourceVersion("")
		if err := p.store.Update(p.ctx, "pods", pod); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.store.Delete(p.ctx, "pods", "one"); err != nil {
		t.Fatal(err)
	}
	p.create("pods", testPod("two", "x", "", false))
	if _, err := p.client.Compact(p.ctx, p.revision()); err != nil {
		t.Fatal(err)
	}
	events, err := p.store.Watch(p.ctx, "pods", first+1)
	if err != nil {
		t.Fatal(err)
	}
	if event := <-events; event.Type != registry.Error {
		t.Fatalf("the old revision is there still: %+v", event)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	go func() { defer close(done); m.run(ctx) }()
	p.await("a view without the deleted pod", func() bool {
		pods := v.pods()
		return len(pods) == 1 && pods[0].Name == "two"
	})
	cancel()
	<-done
}

func disjoint(a, b []int32) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return false
			}
		}
	}
	return true
}
