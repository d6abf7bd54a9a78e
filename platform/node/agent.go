package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"breakbank/platform/process"
	"breakbank/platform/registry"
)

// AgentConfig says what machine an agent runs, and with what.
type AgentConfig struct {
	Name, Zone string
	// APIServers are base URLs, such as http://127.0.0.1:8001, own zone first.
	APIServers []string
	// Store is where the node's lease is kept, through an etcd client that is
	// not the API servers'.
	Store *registry.Store
	// Constructors make instances, by service.
	Constructors map[string]Constructor
	// Processes, if there is one, makes every instance a process of its own,
	// and Constructors only says which services there are: the processes have
	// them too. Nil: instances run in this process.
	Processes *Spawner
	// AdvertiseHost is the host at which others reach this node's instances, a
	// name or an address. Empty: the address on which each listens.
	AdvertiseHost string
	// NewRouter starts the node's router, or what stands in for one.
	NewRouter RouterFactory
	// NewCaller makes the data plane of an instance, where services were built
	// to find each other without a proxy. Nil: they call through the router.
	NewCaller CallerFactory
	// RouterListener is the router's socket. The agent owns it from now on.
	RouterListener *net.TCPListener
	// TableListener is where routers of other nodes read this one's table
	// (policy gossip). The agent owns it from now on. Nil: nowhere.
	TableListener *net.TCPListener
	// Fixed are the sockets of services that keep one address on this node,
	// by service. The agent owns them from now on.
	Fixed map[string]*net.TCPListener
	// Listen gives every other instance a port that none has had before.
	Listen func() (*net.TCPListener, error)
	// EnvFor returns what the agent does not know of an instance's
	// surroundings: BookAddr, NATSURL, StandinAddr, Fallback, FallbackOn,
	// AccessLog and Log, which processes of their own do not use. The agent
	// fills in the rest. Nil for none of it.
	EnvFor func(service, instance string) Env
	// OnServing is told when an instance begins to take requests, and when it
	// does not any more or soon will not; the latter may be told twice. It must
	// not wait. Nil: nobody wants to know.
	OnServing func(i InstanceStatus, serves bool)
	// DataDir holds a directory for each instance.
	DataDir string
	// ConfigSnapshotDir holds the router's last good configuration, where its
	// policies ask for that.
	ConfigSnapshotDir string
	Log               *slog.Logger
}

// InstanceStatus is an instance that runs on a node.
type InstanceStatus struct {
	Name    string
	Service string
	Version string
	Address string // host:port
	// Ready is false while it starts, while it drains, and while its process
	// does not answer.
	Ready bool
	// Of its process, where it has one of its own; otherwise zero. State is what
	// the kernel says: one that is stopped may be ready for some seconds yet.
	PID       int
	StartedAt time.Time
	State     process.State
}

// Agent runs a node. Its methods are safe for concurrent use.
type Agent struct {
	cfg     AgentConfig
	servers apiServers
	beat    *heartbeat
	router  *routerKeeper
	socket  *Socket                  // the router's
	fixed   map[string]*Socket       // by service; empty with processes
	shared  map[string]*kernelSocket // the same for processes
	tenants *tenants

	cancel context.CancelFunc
	work   sync.WaitGroup
	once   sync.Once
}

// Start starts an agent, which runs until Close. It waits for nothing: the
// router and the instances come up as the registry allows. The listeners are
// the agent's, even if it cannot be started.
func Start(ctx context.Context, cfg AgentConfig) (*Agent, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.EnvFor == nil {
		cfg.EnvFor = func(string, string) Env { return Env{Log: cfg.Log} }
	}
	if err := cfg.check(); err != nil {
		return nil, errors.Join(fmt.Errorf("start node %s: %w", cfg.Name, err), cfg.closeListeners())
	}
	a := &Agent{
		cfg: cfg, servers: newAPIServers(cfg.APIServers),
		fixed: map[string]*Socket{}, shared: map[string]*kernelSocket{},
	}
	if err := a.takeFixed(); err != nil {
		return nil, errors.Join(fmt.Errorf("start node %s: %w", cfg.Name, err), cfg.closeListeners())
	}
	a.socket = NewSocket(cfg.RouterListener)
	a.tenants = &tenants{agent: a, byName: map[string]*tenant{}}
	a.beat = &heartbeat{node: cfg.Name, store: cfg.Store, log: cfg.Log, returned: a.tenants.recheck}
	config := &routerConfig{servers: a.servers, dir: cfg.ConfigSnapshotDir, log: cfg.Log}
	a.router = newRouterKeeper(a.socket, config, cfg.NewRouter, cfg.Log)
	pods := &podWatch{servers: a.servers, node: cfg.Name, tenants: a.tenants, log: cfg.Log}

	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.cancel = cancel
	a.tenants.life = life
	a.work.Go(func() { a.beat.run(life) })
	a.work.Go(func() { a.router.run(life) })
	a.work.Go(func() { pods.run(life) })
	if cfg.TableListener != nil {
		a.work.Go(func() { lendTables(life, cfg.TableListener, a.router, cfg.Log) })
	}
	return a, nil
}

func (c AgentConfig) check() error {
	switch {
	case c.Name == "":
		return errors.New("it has no name")
	case len(c.APIServers) == 0:
		return errors.New("it knows no API server")
	case c.Store == nil:
		return errors.New("it has no store for its lease")
	case c.NewRouter == nil || c.RouterListener == nil:
		return errors.New("it has no router, or no socket for it")
	case c.Listen == nil:
		return errors.New("it cannot listen for instances")
	case c.Processes != nil && c.NewCaller != nil:
		return errors.New("arms without a router run inside the node's process; instances that are processes of their own cannot have them")
	}
	return nil
}

// takeFixed makes sockets of the listeners of services that keep one address.
func (a *Agent) takeFixed() error {
	for service, l := range a.cfg.Fixed {
		if a.cfg.Processes == nil {
			a.fixed[service] = NewSocket(l)
			continue
		}
		socket, err := newKernelSocket(l)
		if err != nil {
			for _, taken := range a.shared {
				err = errors.Join(err, taken.Close())
			}
			return err
		}
		a.shared[service] = socket
	}
	return nil
}

func (c AgentConfig) closeListeners() error {
	var errs []error
	if c.RouterListener != nil {
		errs = append(errs, c.RouterListener.Close())
	}
	if c.TableListener != nil {
		errs = append(errs, c.TableListener.Close())
	}
	for _, l := range c.Fixed {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// RouterAddr is where the node's router listens (host:port).
func (a *Agent) RouterAddr() string { return a.socket.Addr() }

// routerAddrHere is the same for those on this node.
func (a *Agent) routerAddrHere() string {
	addr := a.cfg.RouterListener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(addr.Port))
	}
	return addr.String()
}

// advertised is where others reach an instance that listens on a socket.
func (a *Agent) advertised(l net.Addr) string {
	addr, ok := l.(*net.TCPAddr)
	if a.cfg.AdvertiseHost == "" || !ok {
		return l.String()
	}
	return net.JoinHostPort(a.cfg.AdvertiseHost, strconv.Itoa(addr.Port))
}

// RouterStatus says what the node's router is doing.
func (a *Agent) RouterStatus() RouterStatus { return a.router.status() }

// RestartRouter replaces the node's router and does not wait until the new one
// is ready. Usually the old one is dead, with its connections, when it
// returns; where the configuration has the policy make-before-break, the old
// one serves until the new one is ready.
func (a *Agent) RestartRouter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("restart the router of %s: %w", a.cfg.Name, err)
	}
	a.cfg.Log.Info("router restart asked for")
	a.router.restart()
	return nil
}

// Instances returns the instances that run, by name.
func (a *Agent) Instances() []InstanceStatus { return a.tenants.list() }

// KillInstance ends an instance as a crash would: its connections die, and its
// pod is reported as failed.
func (a *Agent) KillInstance(name string) error {
	if err := a.tenants.kill(name); err != nil {
		return fmt.Errorf("node %s: %w", a.cfg.Name, err)
	}
	return nil
}

// SignalInstance does something to an instance's process. SignalKill is
// KillInstance, also for instances in this process, which take no other. One
// that is stopped stays where it is; after some seconds it is reported as not
// ready, until it goes on.
func (a *Agent) SignalInstance(name string, s Signal) error {
	if s == SignalKill {
		return a.KillInstance(name)
	}
	if err := a.tenants.signal(name, s); err != nil {
		return fmt.Errorf("node %s: %w", a.cfg.Name, err)
	}
	return nil
}

// Close stops everything at once, instances and router included, and waits.
// What the registry says of them stays as it is, as after a crash.
func (a *Agent) Close() {
	a.once.Do(func() {
		a.cancel()
		a.work.Wait()
		a.tenants.wait()
		for _, s := range append(slices.Collect(maps.Values(a.fixed)), a.socket) {
			if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				a.cfg.Log.Warn("closing a socket", "address", s.Addr(), "error", err)
			}
		}
		for _, s := range a.shared {
			if err := s.Close(); err != nil {
				a.cfg.Log.Warn("closing a socket", "address", s.addr, "error", err)
			}
		}
		a.servers.close()
	})
}
