package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/registry"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// readyLimit bounds how long the bank may take to come up.
	readyLimit = 60 * time.Second
	readyPoll  = 20 * time.Millisecond
)

// standinService is the service whose fixed address every edge is told, so
// that a fallback can be independent of discovery.
const standinService = "standin"

func (p *Platform) startNodes(ctx context.Context) error {
	p.injector = fault.NewInjector(p)
	p.onClose("faults", func() error { return p.injector.ClearAll(context.Background()) })
	fixed, err := p.listenFixed()
	if err != nil {
		return err
	}
	leases, err := p.etcdClient()
	if err != nil {
		return err
	}
	p.onClose("node leases' etcd client", leases.Close)
	p.routerAddrs = map[string]string{}
	if err := p.listenTables(); err != nil {
		return err
	}
	for _, n := range p.topology.Nodes {
		if err := p.startNode(ctx, n, fixed[n.Name], registry.NewStore(leases)); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

// listenFixed takes the addresses that last for the whole run.
func (p *Platform) listenFixed() (map[string]map[string]*net.TCPListener, error) {
	fixed := map[string]map[string]*net.TCPListener{}
	for _, n := range p.topology.Nodes {
		fixed[n.Name] = map[string]*net.TCPListener{}
		for _, s := range p.topology.Services {
			if !s.Fixed || !slices.Contains(s.Nodes, n.Name) {
				continue
			}
			l, err := p.ports.Listen()
			if err != nil {
				return nil, err
			}
			fixed[n.Name][s.Name] = l
			p.edges = append(p.edges, edge{s.Name, n.Name, n.Zone, l.Addr().String()})
		}
	}
	return fixed, nil
}

// listenTables takes the addresses at which nodes lend each other the tables
// of their routers: all of them before the first router starts.
func (p *Platform) listenTables() error {
	p.tables = map[string]*net.TCPListener{}
	for _, n := range p.topology.Nodes {
		l, err := p.ports.Listen()
		if err != nil {
			return err
		}
		p.tables[n.Name] = l
	}
	return nil
}

// peersOf lists where a node's router can read the tables of the others.
func (p *Platform) peersOf(name string) []string {
	var peers []string
	for _, n := range p.topology.Nodes {
		if n.Name != name {
			peers = append(peers, "http://"+p.tables[n.Name].Addr().String())
		}
	}
	return peers
}

func (p *Platform) startNode(ctx context.Context, n NodeSpec, fixed map[string]*net.TCPListener, store *registry.Store) error {
	data, err := p.dir("nodes", n.Name)
	if err != nil {
		return err
	}
	routerListener, err := p.ports.Listen()
	if err != nil {
		return err
	}
	servers := p.apiServersFor(n.Zone)
	newRouter, newCaller, err := p.dataPlane(n, filepath.Join(data, "router"))
	if err != nil {
		return err
	}
	agent, err := node.Start(ctx, node.AgentConfig{
		Name: n.Name, Zone: n.Zone, APIServers: servers, Store: store,
		Constructors: p.bank.Constructors, RouterListener: routerListener, TableListener: p.tables[n.Name], Fixed: fixed, Listen: p.ports.Listen,
		NewRouter: newRouter, NewCaller: newCaller, OnServing: p.tellTruth(n.Zone),
		EnvFor: p.envFor, DataDir: filepath.Join(data, "instances"),
		ConfigSnapshotDir: filepath.Join(data, "config"), Log: p.logs.of("node-" + n.Name),
	})
	if err != nil {
		return err
	}
	p.agents[n.Name] = agent
	p.routerAddrs[n.Name] = agent.RouterAddr()
	p.onClose("node "+n.Name, closer(agent))
	return nil
}

// apiServersFor lists the API servers as a node in a zone tries them: its own
// zone's first.
func (p *Platform) apiServersFor(zone string) []string {
	var own, others []string
	for _, s := range p.apiServers {
		if base := "http://" + s.address; s.zone == zone {
			own = append(own, base)
		} else {
			others = append(others, base)
		}
	}
	return append(own, others...)
}

// envFor is what an instance is told of its surroundings.
func (p *Platform) envFor(service, _ string) node.Env {
	return node.Env{
		BookAddr: p.book.Address(), NATSURL: p.nats.URL(), StandinAddr: p.standinAddress(),
		Fallback: p.topology.Fallback, FallbackOn: p.topology.FallbackOn, Log: p.logs.of(service),
	}
}

func (p *Platform) standinAddress() string {
	for _, e := range p.edges {
		if e.service == standinService {
			return e.address
		}
	}
	return ""
}

// awaitReady waits until every instance serves and every router's table is
// what etcd says.
func (p *Platform) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		missing := p.missing()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %s; the logs in %s say why", readyLimit, strings.Join(missing, ", "), p.topology.LogDir)
		case <-poll.C:
		}
	}
}

// missing names what is not there yet.
func (p *Platform) missing() []string {
	ready := map[string]int{}
	for _, a := range p.agents {
		for _, i := range a.Instances() {
			if i.Ready {
				ready[i.Service]++
			}
		}
	}
	var missing []string
	for _, s := range p.topology.Services {
		if s.Later {
			continue
		}
		if lacking := len(s.Nodes) - ready[s.Name]; lacking > 0 {
			missing = append(missing, fmt.Sprintf("%d of %s", lacking, s.Name))
		} else if p.judge.addresses(s.Name) < len(s.Nodes) {
			missing = append(missing, "endpoints of "+s.Name)
		}
	}
	for _, s := range p.nameServers {
		if !s.server.Synced() {
			missing = append(missing, "records of the name server of zone "+s.zone)
		}
	}
	if len(missing) > 0 {
		return missing
	}
	for _, name := range p.Routers() {
		s := p.judge.of(name)
		if s.revision != p.judge.seenRevision() || s.state != adminv1.DiscoveryState_DISCOVERY_STATE_LIVE || !s.behindSince.IsZero() {
			missing = append(missing, "table of router "+name)
		}
	}
	return missing
}
