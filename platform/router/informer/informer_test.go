package informer

import (
	"fmt"
	"log/slog"
	"net"
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
	"breakbank/platform/ports"
	"breakbank/platform/registry"
	"breakbank/platform/router/discovery"
)

// patience is far longer than client-go's pauses.
const patience = 60 * time.Second

// seen is the table as the informer has told it.
type seen struct {
	mu    sync.Mutex
	table map[string]string
	state discovery.State
	early bool // something was told before it had synced
}

func (s *seen) apply(changes []discovery.Publish, state discovery.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
	s.early = s.early || len(changes) > 0 && !state.Synced
	for _, c := range changes {
		for _, e := range c.Entries {
			var at []string
			for _, ep := range e.Endpoints {
				at = append(at, ep.Instance+"@"+ep.Addr)
			}
			s.table[e.Service] = strings.Join(at, " ")
		}
		for _, name := range c.Removed {
			delete(s.table, name)
		}
	}
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for name, at := range s.table {
		lines = append(lines, fmt.Sprintf("%s: %s", name, at))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func (s *seen) look() (discovery.State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.early
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-limit.C:
			t.Fatalf("not after %v: %s", patience, what)
		case <-poll.C:
		}
	}
}

func endpoints(name string, ports ...int32) *registry.Endpoints {
	e := &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: registry.Namespace}}
	for _, port := range ports {
		e.Subsets = append(e.Subsets, corev1.EndpointSubset{ //nolint:staticcheck // see registry.Endpoints
			Addresses: []corev1.EndpointAddress{{IP: "127.0.0.1", TargetRef: &corev1.ObjectReference{Name: fmt.Sprintf("%s-%d", name, port)}}}, //nolint:staticcheck // as above
			Ports:     []corev1.EndpointPort{{Port: port}},                                                                                     //nolint:staticcheck // as above
		})
	}
	return e
}

// TestInformer follows a real API server over a real etcd, from a cold start
// through changes and a restart at another address.
func TestInformer(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	listen := func() (*net.TCPListener, error) {
		return net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	}
	quiet := slog.New(slog.DiscardHandler)
	cluster, err := registry.StartCluster(t.Context(), registry.ClusterConfig{Dir: t.TempDir(), Members: 1, Address: ports.New().Address, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Close() }()
	etcd, err := clientv3.New(clientv3.Config{Endpoints: cluster.ClientAddrs(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	store := registry.NewStore(etcd)
	ledger, pots := endpoints("ledger", 12001), endpoints("pots")
	for _, e := range []*registry.Endpoints{ledger, pots} {
		if err := store.Create(t.Context(), "endpoints", e); err != nil {
			t.Fatal(err)
		}
	}
	serve := func() (*apiserver.Server, string) {
		t.Helper()
		l, err := listen()
		if err != nil {
			t.Fatal(err)
		}
		s, err := apiserver.Start(t.Context(), apiserver.Config{
			Name: "apiserver-a", Zone: "a", Listener: l, EtcdClient: apiserver.ClientPinned, Log: quiet,
			EtcdEndpoint: func(string) string { return cluster.ClientAddrs()[0] },
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, "http://" + l.Addr().String()
	}
	one, first := serve()
	two, second := serve()
	defer func() { _ = two.Close() }()

	s := &seen{table: map[string]string{}}
	i, err := Start(Config{APIServers: []string{first, second}, Apply: s.apply, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	const atFirst = "ledger: ledger-12001@127.0.0.1:12001; pots: "
	await(t, atFirst, func() bool { return s.String() == atFirst })
	state, early := s.look()
	if early || state.Basis != discovery.FromSource || state.Revision == 0 || state.HeardAt.IsZero() {
		t.Errorf("told before it had synced: %v; state %+v", early, state)
	}

	moved := endpoints("ledger", 12003, 12002)
	moved.ResourceVersion = ledger.ResourceVersion
	if err := store.Update(t.Context(), "endpoints", moved); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), "endpoints", "pots"); err != nil {
		t.Fatal(err)
	}
	const afterwards = "ledger: ledger-12002@127.0.0.1:12002 ledger-12003@127.0.0.1:12003"
	await(t, afterwards, func() bool { return s.String() == afterwards })
	heard := state.HeardAt
	await(t, "bookmarks are heard", func() bool { state, _ := s.look(); return state.HeardAt.After(heard.Add(2 * time.Second)) })

	// One address with several servers behind it: the other one takes over,
	// and what is known stays meanwhile.
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), "endpoints", endpoints("feed", 12004)); err != nil {
		t.Fatal(err)
	}
	const atLast = "feed: feed-12004@127.0.0.1:12004; " + afterwards
	await(t, atLast, func() bool {
		if got := s.String(); !strings.Contains(got, afterwards) {
			t.Fatalf("what was known is lost: %q", got)
		}
		return s.String() == atLast
	})
}
