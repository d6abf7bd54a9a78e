package apiserver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/cmd"

	"breakbank/platform/apiserver/client"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
	"breakbank/platform/testrun"
)

// asKubectl makes the test binary behave as kubectl: the real one, as a
// process of its own, without any installed.
const asKubectl = "BREAKBANK_TEST_AS_KUBECTL"

// bedsMax is how many tests run at once, however few cores there are: they wait,
// for the start of etcd, limits and bookmarks.
const bedsMax = 4

func TestMain(m *testing.M) {
	if os.Getenv(asKubectl) != "" {
		if err := cmd.NewDefaultKubectlCommand().Execute(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	testrun.AtOnce(bedsMax)
	before := goleak.IgnoreCurrent()
	os.Exit(testrun.Leaving(m, patience, before))
}

// patience bounds every wait of these tests; it is never waited out. client-go's
// fifth pause after an error may be 25 s.
const patience = 60 * time.Second

// testPorts are those of all tests: a server that is started again at its address
// has no other test's in its place.
var testPorts = ports.New()

// bed is what a test runs on: real etcd and an API server.
type bed struct {
	t         *testing.T
	cluster   *registry.Cluster
	etcd      *clientv3.Client
	store     *registry.Store
	ports     *ports.Allocator
	readLimit time.Duration // for etcd, as Config has it
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, ports: testPorts}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	b.cluster, err = registry.StartCluster(ctx, registry.ClusterConfig{Dir: t.TempDir(), Members: 1, Address: b.ports.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	b.etcd, err = clientv3.New(clientv3.Config{Endpoints: b.cluster.ClientAddrs(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.etcd.Close() })
	b.store = registry.NewStore(b.etcd)
	return b
}

// start runs an API server on a listener; nil takes a new one. endpoint gives
// the address of etcd by resource; nil is the first member's.
func (b *bed) start(l net.Listener, endpoint func(string) string) (*Server, string) {
	b.t.Helper()
	if l == nil {
		tcp, err := b.ports.Listen()
		if err != nil {
			b.t.Fatal(err)
		}
		l = tcp
	}
	if endpoint == nil {
		endpoint = func(string) string { return b.cluster.ClientAddrs()[0] }
	}
	s, err := Start(b.t.Context(), Config{
		Name: "apiserver-a", Zone: "a", Listener: l, EtcdEndpoint: endpoint, ReadLimit: b.readLimit,
		Log: slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return s, "http://" + l.Addr().String()
}

func (b *bed) close(s *Server) {
	if err := s.Close(); err != nil {
		b.t.Errorf("close: %v", err)
	}
}

func (b *bed) client(base string) *client.Client {
	c := client.New(base)
	b.t.Cleanup(c.Close)
	return c
}

func (b *bed) waitReady(s *Server) {
	b.t.Helper()
	eventually(b.t, "all caches ready", func() (bool, any) {
		for _, kind := range registry.Kinds {
			if !s.Ready(kind.Resource) {
				return false, kind.Resource
			}
		}
		return true, nil
	})
}

func (b *bed) create(resource string, obj registry.Object) {
	b.t.Helper()
	if err := b.store.Create(b.t.Context(), resource, obj); err != nil {
		b.t.Fatal(err)
	}
}

func endpointsOf(name string, port int32) *registry.Endpoints {
	e := &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if port != 0 {
		e.Subsets = []corev1.EndpointSubset{{ //nolint:staticcheck // see registry.Endpoints
			Addresses: []corev1.EndpointAddress{{IP: "127.0.0.1"}}, //nolint:staticcheck // as above
			Ports:     []corev1.EndpointPort{{Port: port}},         //nolint:staticcheck // as above
		}}
	}
	return e
}

func configMapOf(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"v": value}}
}

// next returns a watch's next event other than a bookmark.
func next(t *testing.T, w *client.Watch) client.Event {
	t.Helper()
	for {
		ev := nextAny(t, w)
		if ev.Type != client.Bookmark {
			return ev
		}
	}
}

func nextAny(t *testing.T, w *client.Watch) client.Event {
	t.Helper()
	limit := time.AfterFunc(patience, w.Close)
	defer limit.Stop()
	ev, err := w.Next()
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	return ev
}

// eventually polls a condition, which says what it saw while it does not hold.
func eventually(t *testing.T, what string, holds func() (bool, any)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		ok, saw := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %s; saw %s", what, patience, fmt.Sprint(saw))
		}
		<-poll.C
	}
}
