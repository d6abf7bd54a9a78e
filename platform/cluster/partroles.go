package cluster

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/platform/apiserver"
	"breakbank/platform/book"
	"breakbank/platform/dns"
	"breakbank/platform/events"
	"breakbank/platform/fault"
	"breakbank/platform/part"
	"breakbank/platform/registry"
	"breakbank/platform/router"
	"breakbank/platform/rpc"
)

// startEtcd runs an etcd member: at once if the registry starts with it or it
// has joined before, else when the control process has it join.
func startEtcd(ctx context.Context, p *partProcess) (role, error) {
	dir, err := p.topology.dir("etcd")
	if err != nil {
		return role{}, err
	}
	m := registry.NewMember(registry.MemberConfig{
		Seat:     p.spec.seat(),
		Dir:      filepath.Join(dir, p.spec.Name),
		BindHost: p.topology.Bind, Log: p.log,
	})
	if p.topology.wanted(p.spec) || m.HasData() {
		if err := m.Start(ctx, p.topology.initialCluster(), registry.StateNew); err != nil {
			return role{}, err
		}
	}
	unready := func() string {
		if !m.Running() {
			if p.topology.wanted(p.spec) {
				return "stopped"
			}
			return "" // It waits for the registry to grow.
		}
		if !m.Serves() {
			return "it has not joined the others yet"
		}
		return ""
	}
	return role{
		offers: part.Offers{Member: m, Unready: unready},
		// etcd's own metrics lie here, with those of the process.
		gatherer: prometheus.DefaultGatherer,
		close:    func() error { return m.Stop(context.WithoutCancel(ctx)) },
	}, nil
}

// initialCluster lists the members that the registry starts with, as etcd's
// setting of that name does.
func (t Topology) initialCluster() string {
	var seats []registry.Seat
	for _, p := range t.PartsOf(RoleEtcd) {
		if t.wanted(p) {
			seats = append(seats, p.seat())
		}
	}
	return registry.InitialCluster(seats...)
}

// seat is an etcd part as the registry knows it.
func (p PartSpec) seat() registry.Seat {
	return registry.Seat{Name: p.Name, Zone: p.Zone, ClientAddr: p.Client, PeerAddr: p.Peer}
}

// startAPIServer runs an API server with its links to etcd and, where routers
// ask DNS, the name server of its zone.
func startAPIServer(ctx context.Context, p *partProcess) (_ role, err error) {
	r := role{offers: part.Offers{Links: map[string]fault.Link{}}}
	var closers []func() error
	r.close = func() error {
		var errs []error
		for _, c := range slices.Backward(closers) {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	etcd := p.topology.memberFor(p.spec.Zone)
	local := map[string]string{}
	for _, kind := range RelayedKinds {
		l, err := p.topology.listen(p.spec.Links[kind])
		if err != nil {
			return r, err
		}
		name := linkName(p.spec.Name, kind)
		relay := fault.NewRelay(l, func() string { return etcd }, name)
		r.offers.Links[name], local[kind] = relay, relay.Addr()
		closers = append(closers, relay.Close)
	}
	l, err := p.topology.listen(p.spec.Address)
	if err != nil {
		return r, err
	}
	server, err := apiserver.Start(ctx, apiserver.Config{
		Name: p.spec.Name, Zone: p.spec.Zone, Listener: l, EtcdClient: p.topology.EtcdClient, Log: p.log,
		EtcdEndpoint: func(resource string) string {
			if relay, relayed := local[resource]; relayed {
				return relay
			}
			return etcd
		},
	})
	if err != nil {
		return r, err
	}
	closers = append(closers, server.Close)
	r.offers.APIServer = server
	if err := p.registry.Register(apiserver.NewCollector(func() []*apiserver.Server { return []*apiserver.Server{server} })); err != nil {
		return r, err
	}
	nameServer, err := p.startNameServer()
	if err != nil {
		return r, err
	}
	if nameServer != nil {
		closers = append(closers, nameServer.Close)
	}
	r.offers.Unready = func() string {
		for _, kind := range registry.Kinds {
			if !server.Ready(kind.Resource) {
				return "no list of " + kind.Resource + " from etcd yet"
			}
		}
		if nameServer != nil && !nameServer.Synced() {
			return "its name server has no records yet"
		}
		return ""
	}
	return r, nil
}

// startNameServer starts the name server of the part's zone, where routers ask
// one.
func (p *partProcess) startNameServer() (*dns.Server, error) {
	config, err := router.ParseConfig([]byte(p.topology.Router))
	if err != nil {
		return nil, err
	}
	if config.Discovery != discoveryDNS || p.spec.DNS == "" {
		return nil, nil
	}
	conn, err := net.ListenPacket("udp4", p.topology.bind(p.spec.DNS))
	if err != nil {
		return nil, err
	}
	own := "http://" + p.spec.Address
	return dns.StartServer(dns.ServerConfig{Conn: conn, APIServers: []string{own}, Log: p.log})
}

// memberFor is the client address of the first etcd member of a zone, the one
// an API server there was configured with.
func (t Topology) memberFor(zone string) string {
	members := ownZoneFirst(t.PartsOf(RoleEtcd)[:t.RegistryMembers], zone)
	return members[0].Client
}

// startBook runs the book.
func startBook(ctx context.Context, p *partProcess) (role, error) {
	dir, err := p.topology.dir("book")
	if err != nil {
		return role{}, err
	}
	nats, _ := p.topology.Part(RoleNATS)
	l, err := p.topology.listen(p.spec.Address)
	if err != nil {
		return role{}, err
	}
	b, err := startBookRole(ctx, bookRoleConfig{
		Dir: dir, Listener: l, Bank: p.Bank, NATSURL: "nats://" + nats.Address, AccessLog: p.topology.AccessLog, Log: p.log,
		Options: book.Options{Durability: book.Durability(p.topology.Durability), Log: p.log},
	})
	if err != nil {
		return role{}, err
	}
	for _, c := range []prometheus.Collector{rpc.NewCollector(), book.NewCollector(func() map[string]*book.Pebble { return b.opened })} {
		if err := p.registry.Register(c); err != nil {
			return role{}, errors.Join(err, b.Close())
		}
	}
	return role{offers: part.Offers{Unready: ready}, over: b.over, close: b.Close}, nil
}

// startNATS runs NATS with JetStream.
func startNATS(_ context.Context, p *partProcess) (role, error) {
	dir, err := p.topology.dir("nats")
	if err != nil {
		return role{}, err
	}
	l, err := p.topology.listen(p.spec.Address)
	if err != nil {
		return role{}, err
	}
	s, err := events.StartServer(events.ServerConfig{Dir: dir, Listener: l, Log: p.log})
	if err != nil {
		return role{}, err
	}
	if err := p.registry.Register(events.NewCollector(func() *events.Server { return s })); err != nil {
		s.Close()
		return role{}, err
	}
	return role{offers: part.Offers{Unready: ready}, close: closer(s)}, nil
}

// ready is a part that is ready as soon as it is there.
func ready() string { return "" }

// startLoad makes a gentle load.
func startLoad(ctx context.Context, p *partProcess) (role, error) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	edges := p.topology.edges()
	go func() {
		defer close(over)
		err := p.Load(ctx, LoadTask{
			RatePerS: p.topology.Load.RatePerS, Registerer: p.registry, Log: p.log,
			Edges: func(service string) []string {
				var addresses []string
				for _, e := range edges {
					if e.service == service {
						addresses = append(addresses, e.address)
					}
				}
				return addresses
			},
		})
		if err != nil {
			p.log.Error("the load has ended", "error", err)
		}
	}()
	return role{
		offers: part.Offers{Unready: ready}, over: over,
		close: func() error { cancel(); <-over; return nil },
	}, nil
}
