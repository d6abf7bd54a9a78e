// Package cluster assembles a platform from a topology: registry, API
// servers, controllers, nodes, book and events, with a link that can be
// broken on every edge that a fault aims at, and the control API over it all.
// It does not know the bank: it is handed constructors and seeds.
//
//	layout single      Start           every role in this process
//	layout processes   StartProcesses  control here, a child process a part
//	layout containers  RunPart         this process is one part, control among them
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"breakbank/platform/deploy"
	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/registry"
	"breakbank/platform/telemetry"
	bookv1 "breakbank/proto/book/v1"
)

// quietZap keeps etcd's client library from writing to the terminal; what it
// would say comes back as errors.
var quietZap = zap.NewNop()

// Bank is what a platform is handed so that it can run services without
// knowing them.
type Bank struct {
	// Constructors start an instance, by service.
	Constructors map[string]node.Constructor
	// Stores are the names of the book's stores.
	Stores []string
	// Published are the stores whose journals go to the events.
	Published []string
	// Seed gives a store's opening operations.
	Seed func(store string) []*bookv1.Operation
}

// Platform is everything the bank runs on, as whoever controls it sees it,
// wherever its parts run. Its methods are safe for concurrent use.
type Platform struct {
	topology Topology
	// file is the topology without the settings of a reset.
	file Topology
	log  *slog.Logger
	logs *telemetry.Logs

	registry    *registry.Cluster
	records     *registry.Store // The platform's own eyes and hands on etcd.
	controllers *deploy.Controllers
	apiServers  []apiServer
	nodes       map[string]nodeHandle
	routers     map[string]string // by node: where its router listens
	edges       []edge
	book, nats  string   // where they are reached
	stores      []string // of the book
	// links gives those that there are now.
	links    func() map[string]fault.Link
	judge    *judge
	injector *fault.Injector
	// alsoMissing names what is not there yet, apart from instances and tables.
	alsoMissing func() []string
	// processes are the parts' own, where they have any.
	processes processTable
	operator  *operator

	admin *adminServer
	// checkingBooks is held while somebody has the books checked.
	checkingBooks sync.Mutex
	// ending is held while parts are ended for a reset or a hold.
	ending sync.Mutex

	closers []namedCloser // In the order of starting; closed in reverse.
}

// nodeHandle is a node, here or in another process.
type nodeHandle interface {
	Instances() []node.InstanceStatus
	RouterStatus() node.RouterStatus
	RestartRouter(ctx context.Context) error
	SignalInstance(name string, s node.Signal) error
}

// apiServer is an API server, here or in another process.
type apiServer struct {
	name, zone, address string
	apiServerHandle
}

type apiServerHandle interface {
	// Ready says whether the cache of a resource has had its first list.
	Ready(resource string) bool
	// CacheRevision is the revision of its watch cache of a kind, 0 while down.
	CacheRevision(resource string) int64
	// Restart drops every connection and starts a fresh server, with fresh etcd
	// connections and empty watch caches, at the same address; it waits until
	// that listens.
	Restart(ctx context.Context) error
	Restarts() int64
}

type namedCloser struct {
	name  string
	close func() error
}

// edge is an instance with a fixed address.
type edge struct{ service, node, zone, address string }

// AdminAddress is where the control API listens.
func (p *Platform) AdminAddress() string { return p.admin.address }

// Close stops everything, the last started first.
func (p *Platform) Close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		c := p.closers[i]
		if err := c.close(); err != nil && !errors.Is(err, net.ErrClosed) {
			p.log.Warn("closing", "part", c.name, "error", err)
		}
	}
	p.closers = nil
}

func (p *Platform) onClose(name string, close func() error) {
	p.closers = append(p.closers, namedCloser{name, close})
}

// dir makes a directory for a part below the platform's own.
func (t Topology) dir(parts ...string) (string, error) {
	path := filepath.Join(append([]string{t.Dir}, parts...)...)
	return path, os.MkdirAll(path, 0o700)
}

// connectRegistry gives the platform its own eyes on etcd, and writes what it
// starts from.
func (p *Platform) connectRegistry(ctx context.Context) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	records := registry.NewStore(client)
	if err := bootstrap(ctx, records, p.topology); err != nil {
		return errors.Join(err, client.Close()) // It may be tried again.
	}
	p.records = records
	p.onClose("etcd client", client.Close)
	return nil
}

// etcdClient returns a client of all members that the registry has now.
func (p *Platform) etcdClient() (*clientv3.Client, error) {
	return newEtcdClient(p.registry.ClientAddrs())
}

// newEtcdClient connects as today's clients do: a member that holds its
// connections and answers nothing is noticed by keepalives, while there is a call
// or a watch. etcd takes pings without one for an attack: it closes the
// connection, and gRPC then pings half as often, for good.
func newEtcdClient(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: etcdDialTimeout, Logger: quietZap,
		DialKeepAliveTime: etcdKeepalive, DialKeepAliveTimeout: etcdKeepaliveTimeout,
	})
}

func (p *Platform) startControllers(ctx context.Context) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	p.onClose("controllers' etcd client", client.Close)
	p.controllers, err = deploy.Start(ctx, deploy.Config{
		Client: client, Store: registry.NewStore(client), Log: p.logs.Of("controllers"),
	})
	if err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	p.onClose("controllers", closer(p.controllers))
	return nil
}

// startInjector readies the faults. Those that last when the platform closes
// are cleared first.
func (p *Platform) startInjector(context.Context) error {
	p.injector = fault.NewInjector(p)
	p.onClose("faults", func() error { return p.injector.ClearAll(context.Background()) })
	return nil
}

// closer adapts parts whose Close returns nothing.
func closer(c interface{ Close() }) func() error {
	return func() error { c.Close(); return nil }
}
