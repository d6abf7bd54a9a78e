package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"breakbank/platform/registry"
)

// restartsMax bounds how often an API server is restarted until an informer has
// asked the new one for what it has missed.
const restartsMax = 10

// counter counts what a client-go client asks and is told.
type counter struct {
	http.RoundTripper
	lists atomic.Int64 // requests that are no watches
	gone  atomic.Int64 // answers of 410
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	if !req.URL.Query().Has("watch") {
		c.lists.Add(1)
	}
	resp, err := c.RoundTripper.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusGone {
		c.gone.Add(1)
	}
	return resp, err
}

// A real client-go informer syncs, hears events and bookmarks, and comes
// through a restart of the API server by listing anew.
func TestInformer(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.create("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "ledger"}})
	s, base := b.start(nil, nil)
	b.waitReady(s)
	count := &counter{}
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: base, WrapTransport: func(rt http.RoundTripper) http.RoundTripper {
		count.RoundTripper = rt
		return count
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	factory := informers.NewSharedInformerFactoryWithOptions(clientset, 0, informers.WithNamespace(registry.Namespace))
	informer := factory.Core().V1().Services().Informer()
	services := factory.Core().V1().Services().Lister()
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	defer cancel()
	if synced := factory.WaitForCacheSyncWithContext(ctx); synced.Err != nil {
		t.Fatal(synced.Err)
	}
	if n := count.lists.Load(); n != 0 {
		t.Errorf("%d lists: the informer fell back from the watch-list it tried first", n)
	}
	names := func() string {
		list, err := services.List(labels.Everything())
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, service := range list {
			found[service.Name] = true
		}
		var sorted []string
		for _, name := range []string{"feed", "ledger", "pots"} {
			if found[name] {
				sorted = append(sorted, name)
			}
		}
		return strings.Join(sorted, " ")
	}
	see := func(want string) {
		t.Helper()
		eventually(t, "informer holds "+want, func() (bool, any) { got := names(); return got == want, got })
	}
	see("ledger")
	b.create("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "pots"}})
	see("ledger pots")
	if err := b.store.Delete(ctx, "services", "ledger"); err != nil {
		t.Fatal(err)
	}
	see("pots")
	other := configMapOf("elsewhere", "1")
	b.create("configmaps", other)
	eventually(t, "a bookmark moves the informer to "+other.ResourceVersion, func() (bool, any) {
		version := informer.LastSyncResourceVersion()
		at, err := strconv.ParseInt(version, 10, 64)
		wanted, _ := parseRevision(other.ResourceVersion)
		return err == nil && at >= wanted, version
	})

	// A watch that ends in another way than by a refused connection has client-go
	// list anew at once, without asking for what it has missed: it takes another
	// restart then.
	there, next := "pots", "feed"
	for range restartsMax {
		b.close(s)
		b.create("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: next}})
		if err := b.store.Delete(ctx, "services", there); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		s, _ = b.start(l, nil)
		see(next)
		if count.gone.Load() > 0 {
			break
		}
		there, next = next, there
	}
	b.close(s)
	if count.gone.Load() == 0 {
		t.Errorf("the informer met no 410 in %d restarts: the test has shown nothing", restartsMax)
	}
}

// kubectl runs the real kubectl, as a process of its own.
func kubectl(ctx context.Context, t *testing.T, base string, args ...string) *exec.Cmd {
	t.Helper()
	child := exec.CommandContext(ctx, os.Args[0], append([]string{"--server", base}, args...)...)
	home := t.TempDir()
	child.Env = append(os.Environ(), asKubectl+"=1", "HOME="+home, "KUBECONFIG="+home+"/none", "KUBECACHEDIR="+home)
	return child
}

// Not parallel: a process that is being started has a copy of each socket until it
// executes its program, and other tests listen again where a server was closed.
func TestKubectl(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	two := int32(2)
	meta := metav1.ObjectMeta{Name: "ledger", Labels: map[string]string{"app": "ledger"}}
	b.create("services", &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: meta.Labels}})
	b.create("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "pots"}})
	b.create("endpoints", endpointsOf("ledger", 12001))
	b.create("endpoints", endpointsOf("pots", 0))
	b.create("deployments", &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &two}, Status: appsv1.DeploymentStatus{ReadyReplicas: 2}})
	b.create("pods", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "ledger-v1-1-a2", Labels: meta.Labels}, Spec: corev1.PodSpec{NodeName: "a2"}})
	b.create("pods", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "feed-v1-1-b2"}, Spec: corev1.PodSpec{NodeName: "b2"}})
	b.create("nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a2"}})
	s, base := b.start(nil, nil)
	defer b.close(s)
	b.waitReady(s)

	for _, tc := range []struct {
		args    string
		want    []string
		without string
	}{
		{"get services", []string{"NAME", "SELECTOR", "ledger", "app=ledger", "pots"}, "error"},
		{"get ep", []string{"127.0.0.1:12001", "pots", "<none>"}, "error"},
		{"get endpoints pots -o json", []string{`"kind": "Endpoints"`, `"subsets": null`}, "error"},
		{"get deploy ledger", []string{"READY", "2/2"}, "error"},
		{"get pods", []string{"ledger-v1-1-a2", "a2", "feed-v1-1-b2"}, "error"},
		{"get pods -l app=ledger", []string{"ledger-v1-1-a2"}, "feed"},
		{"get pods --field-selector spec.nodeName=b2 -o name", []string{"pod/feed-v1-1-b2"}, "ledger"},
		{"get nodes", []string{"a2"}, "error"},
		{"get services -o yaml", []string{"kind: Service", "resourceVersion:"}, "error"},
		{"scale deployment ledger --replicas=0", []string{"deployment.apps/ledger scaled"}, "error"},
		{"get deployment/ledger", []string{"2/0"}, "error"},
		{"label pod ledger-v1-1-a2 tier=core", []string{"labeled"}, "error"},
		{"delete service pots", []string{`service "pots" deleted`}, "error"},
		{"get endpoints", []string{"ledger"}, "pots"},
	} {
		out, err := kubectl(ctx, t, base, strings.Fields(tc.args)...).CombinedOutput()
		if err != nil {
			t.Errorf("kubectl %s: %v\n%s", tc.args, err, out)
		}
		for _, want := range tc.want {
			if !bytes.Contains(out, []byte(want)) {
				t.Errorf("kubectl %s: no %q in\n%s", tc.args, want, out)
			}
		}
		if bytes.Contains(out, []byte(tc.without)) {
			t.Errorf("kubectl %s: %q in\n%s", tc.args, tc.without, out)
		}
	}
	if out, err := kubectl(ctx, t, base, "get", "service", "pots").CombinedOutput(); err == nil || !bytes.Contains(out, []byte(`services "pots" not found`)) {
		t.Errorf("get of nothing: %v\n%s", err, out)
	}
	var deployment appsv1.Deployment
	if err := b.store.Get(ctx, "deployments", "ledger", &deployment); err != nil || *deployment.Spec.Replicas != 0 {
		t.Errorf("scaled to %v, %v", deployment.Spec.Replicas, err)
	}
	testKubectlWatch(ctx, t, b, base)
}

func testKubectlWatch(ctx context.Context, t *testing.T, b *bed, base string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	watching := kubectl(ctx, t, base, "get", "endpoints", "-w")
	out, err := watching.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	watching.WaitDelay = time.Second
	if err := watching.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ledger") { //nolint:revive // skips the heading
	}
	moved := endpointsOf("ledger", 12002)
	if err := b.store.Update(ctx, "endpoints", moved); err != nil {
		t.Fatal(err)
	}
	seen := false
	for !seen && lines.Scan() {
		seen = strings.Contains(lines.Text(), "127.0.0.1:12002")
	}
	if !seen {
		t.Errorf("kubectl get -w did not show the move: %v", lines.Err())
	}
	cancel()
	var exit *exec.ExitError
	if err := watching.Wait(); err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
		t.Errorf("kubectl get -w: %v", err)
	}
}
