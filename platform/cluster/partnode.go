package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/platform/node"
	"breakbank/platform/part"
	"breakbank/platform/ports"
	"breakbank/platform/registry"
	"breakbank/platform/router"
	"breakbank/platform/router/admin"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

// startNode runs a machine: its agent, its router, and instances as child
// processes.
func startNode(ctx context.Context, p *partProcess) (_ role, err error) {
	n, _ := p.topology.node(p.spec.Name)
	around := p.topology.surroundingsOf(n)
	data, err := p.topology.dir("nodes", n.Name)
	if err != nil {
		return role{}, err
	}
	newRouter, _, err := p.topology.dataPlane(n, around, filepath.Join(data, "router"), p.logs.Of("router-"+n.Name)) // No callers: see MayRun.
	if err != nil {
		return role{}, err
	}
	leases, err := newEtcdClient(around.etcd())
	if err != nil {
		return role{}, err
	}
	newRouter, current := remembered(newRouter)
	config := node.AgentConfig{
		Name: n.Name, Zone: n.Zone, APIServers: around.apiServers, Store: registry.NewStore(leases),
		Constructors: p.Bank.Constructors, Processes: p.spawner(), AdvertiseHost: p.spec.Host,
		Fixed: map[string]*net.TCPListener{}, Listen: p.listenForInstance(),
		NewRouter: newRouter,
		EnvFor: func(string, string) node.Env {
			env := around.env(p.topology)
			env.AccessLog = p.topology.AccessLog
			return env
		},
		DataDir: filepath.Join(data, "instances"), ConfigSnapshotDir: filepath.Join(data, "config"), Log: p.logs.Of("node-" + n.Name),
	}
	listen := func(address string) *net.TCPListener {
		l, failed := p.topology.listen(address)
		err = errors.Join(err, failed)
		return l
	}
	config.RouterListener, config.TableListener = listen(p.spec.Router), listen(p.spec.Table)
	for _, service := range p.topology.fixedOn(n.Name) {
		config.Fixed[service] = listen(p.spec.Fixed[service])
	}
	if err != nil {
		return role{}, errors.Join(err, leases.Close()) // The process ends, and its sockets with it.
	}
	agent, err := node.Start(ctx, config)
	if err != nil {
		return role{}, errors.Join(err, leases.Close())
	}
	if err := p.registry.Register(admin.NewCollector(routerOf(agent, current))); err != nil {
		agent.Close()
		return role{}, errors.Join(err, leases.Close())
	}
	return role{
		offers: part.Offers{
			Node: agent, Unready: func() string { return p.unreadyNode(agent) },
			SearchLogs: func(of, text string) *adminv1.SearchLogsResponse {
				return telemetry.MergeFound(p.logs.Search(of, text), agent.SearchLogs(of, text))
			},
		},
		gatherer: prometheus.Gatherers{p.registry, agent.Gatherer()},
		close:    func() error { agent.Close(); return leases.Close() },
	}, nil
}

// routerOf is a node's router as its metrics are asked for: none while it is
// down.
func routerOf(agent *node.Agent, current func() admin.Router) func() admin.Router {
	return func() admin.Router {
		if !agent.RouterStatus().Running {
			return nil
		}
		return current()
	}
}

// remembered is a factory of routers, and which it made last that has metrics.
func remembered(make node.RouterFactory) (node.RouterFactory, func() admin.Router) {
	var latest atomic.Value
	return func(config []byte, l net.Listener) (node.Router, error) {
			made, err := make(config, l)
			if r, ok := made.(*router.Router); ok {
				latest.Store(r)
			}
			return made, err
		}, func() admin.Router {
			r, _ := latest.Load().(*router.Router)
			if r == nil {
				return nil
			}
			return r
		}
}

// spawner starts instances as processes of their own.
func (p *partProcess) spawner() *node.Spawner {
	s := &node.Spawner{Command: p.Instance, Env: node.SmallProcess}
	if p.topology.LogDir != "" {
		s.Output = p.instanceLog
	}
	return s
}

// instanceLog is where the instances of a service log, on all nodes: each line
// is one write to the end of the file.
func (p *partProcess) instanceLog(service string) io.Writer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, open := p.files[service]; open {
		return f
	}
	f, err := os.OpenFile(filepath.Join(p.topology.LogDir, service+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		// A full disk shows elsewhere too; what is left is standard error.
		f = os.Stderr
	}
	p.files[service] = f
	return f
}

// listenForInstance gives instances ports that none has had before.
func (p *partProcess) listenForInstance() func() (*net.TCPListener, error) {
	free := ports.New()
	ip := net.ParseIP(p.topology.Bind)
	if ip == nil {
		return free.Listen
	}
	return func() (*net.TCPListener, error) { return free.ListenOn(ip) }
}

// unreadyNode says what a node lacks.
func (p *partProcess) unreadyNode(agent *node.Agent) string {
	if s := agent.RouterStatus(); !s.Running {
		return "its router is down: " + s.Detail
	} else if s.Names == 0 && !s.Partial {
		return "its router has no table: " + s.Detail
	}
	instances := agent.Instances()
	if len(instances) == 0 && p.topology.runsOn(p.spec.Name) {
		return "no instance runs yet"
	}
	for _, i := range instances {
		if !i.Ready {
			return "instance " + i.Name + " is not ready"
		}
	}
	return ""
}
