package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/platform/apiserver"
	"breakbank/platform/book"
	"breakbank/platform/deploy"
	"breakbank/platform/events"
	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
	"breakbank/platform/router/admin"
	"breakbank/platform/router/feed"
	"breakbank/platform/rpc"
	"breakbank/platform/telemetry"
)

// single is a platform with every role in this process, while it starts.
type single struct {
	*Platform
	bank  Bank
	ports *ports.Allocator

	events *events.Server
	store  *bookRole
	// relays are the links, by name.
	relays      map[string]*fault.Relay
	roles       []*apiServerRole
	nameServers []nameServer // none unless routers ask DNS
	tables      map[string]*net.TCPListener
	truth       feed.Truth
	metrics     *prometheus.Registry
}

// Start brings the platform up in this process and waits until every instance
// is ready and every router has a table. On error nothing is left running.
// progress is told, in words, what is being started.
func Start(ctx context.Context, t Topology, bank Bank, progress func(string)) (*Platform, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	s := &single{
		Platform: &Platform{topology: t, stores: bank.Stores, nodes: map[string]nodeHandle{}, routers: map[string]string{}},
		bank:     bank, ports: ports.New(), relays: map[string]*fault.Relay{}, metrics: telemetry.NewRegistry(),
	}
	s.onClose("ports", func() error { s.ports.Close(); return nil })
	s.links = s.allLinks
	s.alsoMissing = s.unsyncedNameServers
	steps := []struct {
		name  string
		start func(context.Context) error
	}{
		{"logs", s.openLogs},
		{"control API", s.reserveAdmin},
		{"events", s.startEvents},
		{"book", s.startBook},
		{fmt.Sprintf("registry of %d etcd members", t.RegistryMembers), s.startRegistry},
		{"API servers", s.startAPIServers},
		{"controllers", s.startControllers},
		{"name servers", s.startNameServers},
		{"faults", s.startInjector},
		{"nodes and the bank", s.startNodes},
		{"judge of discovery", s.startJudge},
		{"operator", s.startOperator},
		{"metrics", s.collect},
	}
	for _, step := range steps {
		progress(step.name)
		if err := step.start(ctx); err != nil {
			s.Close()
			return nil, fmt.Errorf("start %s: %w", step.name, err)
		}
	}
	progress("waiting until every instance serves")
	if err := s.awaitReady(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.admin.open(s.Platform)
	return s.Platform, nil
}

func (s *single) openLogs(context.Context) error {
	l, err := telemetry.OpenLogs(telemetry.LogsConfig{Dir: s.topology.LogDir})
	if err != nil {
		return err
	}
	s.logs, s.log = l, l.Of("cluster")
	s.onClose("logs", l.Close)
	return nil
}

// reserveAdmin takes the control API's address first of all, so that a taken
// port is known before anything else starts.
func (s *single) reserveAdmin(context.Context) error {
	var (
		l   net.Listener
		err error
	)
	if s.topology.AdminAddress == "" {
		l, err = s.ports.Listen()
	} else {
		l, err = net.Listen("tcp4", s.topology.AdminAddress)
	}
	if err != nil {
		return err
	}
	s.admin, err = newAdminServer(adminConfig{Listener: l, Topology: s.topology, Name: "breakbank", Role: "all", Gatherer: s.metrics, Log: s.log})
	if err != nil {
		return err
	}
	s.onClose("control API", s.admin.Close)
	return nil
}

func (s *single) startEvents(context.Context) error {
	dir, err := s.topology.dir("nats")
	if err != nil {
		return err
	}
	l, err := s.ports.Listen()
	if err != nil {
		return err
	}
	s.events, err = events.StartServer(events.ServerConfig{Dir: dir, Listener: l, Log: s.logs.Of("nats")})
	if err != nil {
		return err
	}
	s.nats = s.events.URL()
	s.onClose("events", closer(s.events))
	return nil
}

func (s *single) startBook(ctx context.Context) error {
	dir, err := s.topology.dir("book")
	if err != nil {
		return err
	}
	l, err := s.ports.Listen()
	if err != nil {
		return err
	}
	s.store, err = startBookRole(ctx, bookRoleConfig{
		Dir: dir, Listener: l, Bank: s.bank,
		Options: book.Options{Durability: book.Durability(s.topology.Durability), Log: s.logs.Of("book")},
		NATSURL: s.nats, Log: s.logs.Of("book"),
	})
	if err != nil {
		return err
	}
	s.book = s.store.Address()
	s.onClose("book", s.store.Close)
	return nil
}

func (s *single) startRegistry(ctx context.Context) error {
	dir, err := s.topology.dir("etcd")
	if err != nil {
		return err
	}
	s.registry, err = registry.StartCluster(ctx, registry.ClusterConfig{
		Members: s.topology.RegistryMembers, Log: s.logs.Of("etcd"),
		Host: func(i int) (registry.Host, error) { return s.newMember(i, dir) },
	})
	if err != nil {
		return err
	}
	s.onClose("registry", s.registry.Close)
	return s.connectRegistry(ctx)
}

// newMember gives the i-th etcd member its addresses. etcd opens its listeners
// itself, from URLs: all that can be handed over is the number of a port that
// nobody else will be given.
func (s *single) newMember(i int, dir string) (*registry.Member, error) {
	place := registry.MemberPlaces[i]
	seat := registry.Seat{Name: place.Name, Zone: place.Zone}
	for _, address := range []*string{&seat.ClientAddr, &seat.PeerAddr} {
		l, err := s.ports.Listen()
		if err != nil {
			return nil, fmt.Errorf("address for %s: %w", place.Name, err)
		}
		*address = l.Addr().String()
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("address for %s: %w", place.Name, err)
		}
	}
	return registry.NewMember(registry.MemberConfig{
		Seat: seat, Dir: filepath.Join(dir, place.Name), Log: s.logs.Of("etcd").With("member", place.Name),
	}), nil
}

func (s *single) startNodes(ctx context.Context) error {
	fixed, err := s.listenFixed()
	if err != nil {
		return err
	}
	leases, err := s.etcdClient()
	if err != nil {
		return err
	}
	s.onClose("node leases' etcd client", leases.Close)
	if err := s.listenTables(); err != nil {
		return err
	}
	for _, n := range s.topology.Nodes {
		if err := s.startNode(ctx, n, fixed[n.Name], registry.NewStore(leases)); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

// listenFixed takes the addresses that last for the whole run.
func (s *single) listenFixed() (map[string]map[string]*net.TCPListener, error) {
	fixed := map[string]map[string]*net.TCPListener{}
	for _, n := range s.topology.Nodes {
		fixed[n.Name] = map[string]*net.TCPListener{}
		for _, service := range s.topology.fixedOn(n.Name) {
			l, err := s.ports.Listen()
			if err != nil {
				return nil, err
			}
			fixed[n.Name][service] = l
			s.edges = append(s.edges, edge{service, n.Name, n.Zone, l.Addr().String()})
		}
	}
	return fixed, nil
}

// listenTables takes the addresses at which nodes lend each other the tables
// of their routers: all of them before the first router starts.
func (s *single) listenTables() error {
	s.tables = map[string]*net.TCPListener{}
	for _, n := range s.topology.Nodes {
		l, err := s.ports.Listen()
		if err != nil {
			return err
		}
		s.tables[n.Name] = l
	}
	return nil
}

func (s *single) startNode(ctx context.Context, n NodeSpec, fixed map[string]*net.TCPListener, store *registry.Store) error {
	data, err := s.topology.dir("nodes", n.Name)
	if err != nil {
		return err
	}
	routerListener, err := s.ports.Listen()
	if err != nil {
		return err
	}
	around := s.around(n)
	newRouter, newCaller, err := s.topology.dataPlane(n, around, filepath.Join(data, "router"), s.logs.Of("router-"+n.Name))
	if err != nil {
		return err
	}
	newRouter, current := remembered(newRouter)
	agent, err := node.Start(ctx, node.AgentConfig{
		Name: n.Name, Zone: n.Zone, APIServers: around.apiServers, Store: store,
		Constructors: s.bank.Constructors, RouterListener: routerListener, TableListener: s.tables[n.Name], Fixed: fixed, Listen: s.ports.Listen,
		NewRouter: newRouter, NewCaller: newCaller, OnServing: s.tellTruth(n.Zone),
		EnvFor: func(service, _ string) node.Env {
			env := around.env(s.topology)
			env.AccessLog, env.Log = s.topology.AccessLog, s.logs.Of(service)
			return env
		},
		DataDir:           filepath.Join(data, "instances"),
		ConfigSnapshotDir: filepath.Join(data, "config"), Log: s.logs.Of("node-" + n.Name),
	})
	if err != nil {
		return err
	}
	s.nodes[n.Name] = agent
	s.routers[n.Name] = agent.RouterAddr()
	s.onClose("node "+n.Name, closer(agent))
	labelled := prometheus.WrapRegistererWith(prometheus.Labels{"node": n.Name}, s.metrics)
	return labelled.Register(admin.NewCollector(routerOf(agent, current)))
}

// around is what a node is told of the others.
func (s *single) around(n NodeSpec) surroundings {
	around := surroundings{
		apiServers: s.apiServersFor(n.Zone), nameServers: s.nameServersFor(n.Zone), etcd: s.registry.ClientAddrs,
		naming: s.relays[linkName("apiserver-"+n.Zone, namingKind)].Addr(), truth: &s.truth,
		book: s.book, nats: s.nats, standin: standinAddress(s.edges),
	}
	for _, other := range s.topology.Nodes {
		if other.Name != n.Name {
			around.peers = append(around.peers, "http://"+s.tables[other.Name].Addr().String())
		}
	}
	return around
}

// allLinks are the relays as faults see them.
func (s *single) allLinks() map[string]fault.Link {
	links := make(map[string]fault.Link, len(s.relays))
	for name, relay := range s.relays {
		links[name] = relay
	}
	return links
}

// collect has every part's metrics shown.
func (s *single) collect(context.Context) error {
	collectors := []prometheus.Collector{
		rpc.NewCollector(),
		book.NewCollector(func() map[string]*book.Pebble { return s.store.opened }),
		events.NewCollector(func() *events.Server { return s.events }),
		apiserver.NewCollector(s.running),
		deploy.NewCollector(func() *deploy.Controllers { return s.controllers }),
	}
	var errs []error
	for _, c := range collectors {
		errs = append(errs, s.metrics.Register(c))
	}
	return errors.Join(errs...)
}
