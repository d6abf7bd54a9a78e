// Package cluster assembles a platform from a topology: registry, API
// servers, controllers, nodes, book and events, with a link that can be
// broken on every edge that a fault aims at, and the control API over it all.
// It does not know the bank: it is handed constructors and seeds.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"

	"breakbank/platform/book"
	"breakbank/platform/deploy"
	"breakbank/platform/events"
	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
	"breakbank/platform/router/feed"
	bookv1 "breakbank/proto/book/v1"
)

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

// Platform is everything the bank runs on, in one process. Its methods are
// safe for concurrent use.
type Platform struct {
	topology Topology
	bank     Bank
	ports    *ports.Allocator
	logs     *logs
	log      *slog.Logger

	nats        *events.Server
	book        *bookRole
	registry    *registry.Cluster
	etcd        *clientv3.Client // The platform's own eyes and hands on etcd.
	records     *registry.Store
	links       map[string]*fault.Relay
	apiServers  []*apiServerRole
	nameServers []nameServerRole // none unless routers ask DNS
	controllers *deploy.Controllers
	agents      map[string]*node.Agent
	edges       []edge
	judge       *judge
	truth       feed.Truth
	injector    *fault.Injector
	// routerAddrs are where each node's router listens.
	tables        map[string]*net.TCPListener // by node: where its router's table is lent
	routerAddrs   map[string]string
	adminListener net.Listener
	adminAddr     string

	closers []namedCloser // In the order of starting; closed in reverse.
}

type namedCloser struct {
	name  string
	close func() error
}

// edge is an instance with a fixed address.
type edge struct{ service, node, zone, address string }

// Start brings the platform up and waits until every instance is ready and
// every router has a table. On error nothing is left running. progress is
// told, in words, what is being started.
func Start(ctx context.Context, t Topology, bank Bank, progress func(string)) (*Platform, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	p := &Platform{topology: t, bank: bank, ports: ports.New(), agents: map[string]*node.Agent{}}
	steps := []struct {
		name  string
		start func(context.Context) error
	}{
		{"logs", p.openLogs},
		{"control API", p.reserveAdmin},
		{"events", p.startEvents},
		{"book", p.startBook},
		{fmt.Sprintf("registry of %d etcd members", t.RegistryMembers), p.startRegistry},
		{"API servers", p.startAPIServers},
		{"controllers", p.startControllers},
		{"name servers", p.startNameServers},
		{"nodes and the bank", p.startNodes},
		{"judge of discovery", p.startJudge},
	}
	for _, step := range steps {
		progress(step.name)
		if err := step.start(ctx); err != nil {
			p.Close()
			return nil, fmt.Errorf("start %s: %w", step.name, err)
		}
	}
	progress("waiting until every instance serves")
	if err := p.awaitReady(ctx); err != nil {
		p.Close()
		return nil, err
	}
	p.serveAdmin()
	return p, nil
}

// AdminAddress is where the control API listens.
func (p *Platform) AdminAddress() string { return p.adminAddr }

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
func (p *Platform) dir(parts ...string) (string, error) {
	path := filepath.Join(append([]string{p.topology.Dir}, parts...)...)
	return path, os.MkdirAll(path, 0o700)
}

func (p *Platform) openLogs(context.Context) error {
	l, err := openLogs(p.topology.LogDir)
	if err != nil {
		return err
	}
	p.logs, p.log = l, l.of("cluster")
	p.onClose("logs", l.Close)
	return nil
}

func (p *Platform) startEvents(context.Context) error {
	dir, err := p.dir("nats")
	if err != nil {
		return err
	}
	l, err := p.ports.Listen()
	if err != nil {
		return err
	}
	p.nats, err = events.StartServer(events.ServerConfig{Dir: dir, Listener: l, Log: p.logs.of("nats")})
	if err != nil {
		return err
	}
	p.onClose("events", func() error { p.nats.Close(); return nil })
	return nil
}

func (p *Platform) startBook(ctx context.Context) error {
	dir, err := p.dir("book")
	if err != nil {
		return err
	}
	l, err := p.ports.Listen()
	if err != nil {
		return err
	}
	p.book, err = startBookRole(ctx, bookRoleConfig{
		Dir: dir, Listener: l, Bank: p.bank,
		Options: book.Options{Durability: book.Durability(p.topology.Durability), Log: p.logs.of("book")},
		NATSURL: p.nats.URL(), Log: p.logs.of("book"),
	})
	if err != nil {
		return err
	}
	p.onClose("book", p.book.Close)
	return nil
}

func (p *Platform) startRegistry(ctx context.Context) error {
	dir, err := p.dir("etcd")
	if err != nil {
		return err
	}
	p.registry, err = registry.StartCluster(ctx, registry.ClusterConfig{
		Dir: dir, Members: p.topology.RegistryMembers, Listen: p.ports.Listen, Log: p.logs.of("etcd"),
	})
	if err != nil {
		return err
	}
	p.onClose("registry", p.registry.Close)
	if p.etcd, err = p.etcdClient(); err != nil {
		return err
	}
	p.onClose("etcd client", p.etcd.Close)
	p.records = registry.NewStore(p.etcd)
	return bootstrap(ctx, p.records, p.topology)
}

// etcdClient returns a client of all members that the registry has now.
func (p *Platform) etcdClient() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   p.registry.ClientAddrs(),
		DialTimeout: etcdDialTimeout,
		Logger:      quietZap,
	})
}

func (p *Platform) startControllers(ctx context.Context) error {
	client, err := p.etcdClient()
	if err != nil {
		return err
	}
	p.onClose("controllers' etcd client", client.Close)
	p.controllers, err = deploy.Start(ctx, deploy.Config{
		Client: client, Store: registry.NewStore(client), Log: p.logs.of("controllers"),
	})
	if err != nil {
		return err
	}
	p.onClose("controllers", closer(p.controllers))
	return nil
}

// closer adapts parts whose Close returns nothing.
func closer(c interface{ Close() }) func() error {
	return func() error { c.Close(); return nil }
}

var _ io.Closer = (*logs)(nil)
