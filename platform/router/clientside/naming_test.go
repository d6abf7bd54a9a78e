package clientside

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.uber.org/zap"

	"breakbank/platform/ports"
	"breakbank/platform/registry"
	"breakbank/platform/rpc"
)

const etcdNaming = `
dataplane: client-side
discovery: etcd-naming
strategy: round-robin
`

func etcdClient(addr string) func() (*clientv3.Client, error) {
	return func() (*clientv3.Client, error) {
		return clientv3.New(clientv3.Config{Endpoints: []string{addr}, Logger: zap.NewNop()})
	}
}

// TestEtcdNaming: the parts are real, and the library starts afresh with each
// incarnation.
func TestEtcdNaming(t *testing.T) {
	cluster, err := registry.StartCluster(t.Context(), registry.ClusterConfig{
		Dir: t.TempDir(), Members: 1, Address: ports.New().Address,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Close() }()
	connect := etcdClient(cluster.ClientAddrs()[0])
	etcd, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	names, err := endpoints.NewManager(etcd, "/naming")
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, Options{Discovery: "etcd-naming", NamingClient: connect})
	write := func(l *ledger) {
		t.Helper()
		if err := names.AddEndpoint(t.Context(), "/naming/ledger/"+l.addr, endpoints.Endpoint{Addr: l.addr}); err != nil {
			t.Fatal(err)
		}
	}
	one := b.serve("ledger-1", nil)
	write(one)
	first := b.start(etcdNaming)
	// A call waits half a second for its library to have found somebody.
	b.eventually("the first is called", func() bool {
		went, err := b.apply(t.Context())
		if err == nil && (went.Route != rpc.RouteLive || went.Attempts != 1) {
			t.Fatalf("%+v", went)
		}
		return err == nil
	})
	two := b.serve("ledger-2", nil)
	write(two)
	b.eventually("the second is called, too", func() bool {
		if _, err := b.apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		return two.executed.Load() > 0
	})
	if s := first.Status(); !s.Partial || len(s.Table["ledger"]) != 2 {
		t.Errorf("status %+v", s)
	}
	first.Kill()
	b.eventually("without its library it finds nobody", func() bool {
		_, err := b.apply(t.Context())
		return err != nil
	})
	b.start(etcdNaming)
	b.eventually("the next one finds them again", func() bool {
		_, err := b.apply(t.Context())
		return err == nil
	})
}

// TestEtcdNamingInTheDark: an etcd that takes connections and says nothing
// must not keep an instance from ending.
func TestEtcdNamingInTheDark(t *testing.T) {
	silent := listen(t)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := silent.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			defer conn.Close()
		}
	})
	b := newBed(t, Options{Discovery: "etcd-naming", NamingClient: etcdClient(silent.Addr().String())})
	b.start(etcdNaming)
	if _, err := b.apply(t.Context()); err == nil {
		t.Error("a call found somebody")
	}
	b.caller.Close()
	if err := b.dialer.Close(); err != nil {
		t.Error(err)
	}
	silent.Close()
	accepting.Wait()
}
