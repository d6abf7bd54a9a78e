package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"

	"breakbank/platform/deploy"
	"breakbank/platform/fault"
	"breakbank/platform/part"
	"breakbank/platform/registry"
	"breakbank/platform/supervise"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// attachLimit bounds one attempt to join a registry that may still be
	// electing, attachPause what lies between two.
	attachLimit = 30 * time.Second
	attachPause = time.Second
	// returnLimit bounds how long a part that was ended may take to come back.
	returnLimit = 30 * time.Second
)

// control is a platform whose parts are processes of their own.
type control struct {
	*Platform
	// supervisor looks after the parts; nil where somebody else does, such as
	// Docker.
	supervisor  *supervise.Supervisor
	credentials credentials.PerRPCCredentials
	self        PartSpec
	die         func()

	mu      sync.Mutex
	clients map[string]*part.Client // by name
}

// controlConfig says what to control.
type controlConfig struct {
	Topology Topology
	// File is the topology without the settings of a reset.
	File       Topology
	Bank       Bank
	Admin      *adminServer
	Logs       *telemetry.Logs
	Supervisor *supervise.Supervisor
	Self       PartSpec
	// Registry is for the controllers' metrics.
	Registry *prometheus.Registry
}

// startControl takes control of parts that come up by themselves: it returns
// once there is a registry to control them by, not when all is ready. The admin
// server is opened; it stays the caller's.
func startControl(ctx context.Context, cfg controlConfig, progress func(string)) (*control, error) {
	t := cfg.Topology
	token, err := t.token()
	if err != nil {
		return nil, err
	}
	c := &control{
		Platform: &Platform{
			topology: t, file: cfg.File, stores: cfg.Bank.Stores, log: cfg.Logs.Of("control"), logs: cfg.Logs, admin: cfg.Admin,
			nodes: map[string]nodeHandle{}, routers: map[string]string{}, edges: t.edges(),
		},
		supervisor: cfg.Supervisor, self: cfg.Self, die: dieSoon, clients: map[string]*part.Client{},
	}
	if token != "" {
		c.credentials = telemetry.NewClientCredentials(token)
	}
	book, _ := t.Part(RoleBook)
	nats, _ := t.Part(RoleNATS)
	c.book, c.nats = book.Address, "nats://"+nats.Address
	c.links, c.alsoMissing, c.processes = c.remoteLinks, c.unreadyParts, c
	steps := []struct {
		name  string
		start func(context.Context) error
	}{
		{"parts", c.dialParts},
		{"registry", c.attachRegistry},
		{"controllers", c.startControllers},
		{"faults", c.startInjector},
		{"judge of discovery", c.startJudge},
		{"operator", c.startOperator},
	}
	for _, step := range steps {
		progress(step.name)
		cfg.Admin.says("starting " + step.name)
		if err := step.start(ctx); err != nil {
			c.Close()
			return nil, fmt.Errorf("start %s: %w", step.name, err)
		}
	}
	if err := cfg.Registry.Register(deploy.NewCollector(func() *deploy.Controllers { return c.controllers })); err != nil {
		c.Close()
		return nil, err
	}
	c.admin.open(c.Platform)
	return c, nil
}

// dialParts begins to watch every part that the platform consists of.
func (c *control) dialParts(context.Context) error {
	c.onClose("parts", func() error { c.closeClients(); return nil })
	for _, p := range c.topology.Parts {
		if !c.topology.wanted(p) || p.Role == RoleControl {
			continue
		}
		client := c.client(p)
		switch p.Role {
		case RoleNode:
			c.nodes[p.Name], c.routers[p.Name] = client.Node(), p.Router
		case RoleAPIServer:
			c.apiServers = append(c.apiServers, apiServer{p.Name, p.Zone, p.Address, &remoteAPIServer{client.APIServer(), client}})
		}
	}
	c.admin.connected(c.Platform)
	return nil
}

// client is the connection to a part, which is made when it is first asked for.
func (c *control) client(p PartSpec) *part.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	client, known := c.clients[p.Name]
	if !known {
		client = part.Dial(part.DialConfig{
			Name: p.Name, Role: p.Role, Address: p.Admin, Credentials: c.credentials, Log: c.log.With("part", p.Name),
		})
		c.clients[p.Name] = client
	}
	return client
}

// known are the parts that are connected to, in the order of the topology.
func (c *control) known() []PartSpec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.topology.Parts), func(p PartSpec) bool { return c.clients[p.Name] == nil })
}

// forget ends the connection to a part; the next one who asks makes another.
func (c *control) forget(p PartSpec) {
	c.mu.Lock()
	client := c.clients[p.Name]
	delete(c.clients, p.Name)
	c.mu.Unlock()
	if client != nil {
		client.Close()
	}
}

func (c *control) closeClients() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.clients {
		client.Close()
	}
}

// attachRegistry joins the members, which start by themselves, as often as it
// takes.
func (c *control) attachRegistry(ctx context.Context) error {
	seats := c.topology.PartsOf(RoleEtcd)
	attach := func() error {
		ctx, cancel := context.WithTimeout(ctx, attachLimit)
		defer cancel()
		var err error
		c.registry, err = registry.AttachCluster(ctx, registry.ClusterConfig{
			Members: c.topology.RegistryMembers, Log: c.logs.Of("etcd"),
			Host: func(i int) (registry.Host, error) {
				if i >= len(seats) {
					return nil, fmt.Errorf("the topology has %d etcd parts, not %d", len(seats), i+1)
				}
				return &remoteMember{control: c, spec: seats[i]}, nil
			},
		})
		if err != nil {
			return err
		}
		return c.connectRegistry(ctx)
	}
	for {
		err := attach()
		if err == nil {
			c.onClose("registry", c.registry.Close)
			return nil
		}
		if c.registry != nil {
			err = errors.Join(err, c.registry.Close())
			c.registry = nil
		}
		c.log.Warn("the registry is not there yet", "error", err)
		c.admin.says(fmt.Sprintf("waiting for the registry: %v", err))
		if !rest(ctx, attachPause) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// rest waits for d; false means that ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// remoteMember is an etcd member in a process of its own. It is connected to
// when somebody wants something of it: most of those that a registry may grow
// to are never needed.
type remoteMember struct {
	control *control
	spec    PartSpec
}

func (m *remoteMember) Seat() registry.Seat { return m.spec.seat() }

func (m *remoteMember) Start(ctx context.Context, initialCluster, state string) error {
	return m.control.client(m.spec).Member().Start(ctx, initialCluster, state)
}

func (m *remoteMember) Stop(ctx context.Context) error {
	return m.control.client(m.spec).Member().Stop(ctx)
}

func (m *remoteMember) Running() bool { return m.control.client(m.spec).Member().Running() }

// remoteAPIServer is an API server in a process of its own. It is restarted by
// the death of that process.
type remoteAPIServer struct {
	part.APIServer
	client *part.Client
}

func (a *remoteAPIServer) Restarts() int64 { return max(0, a.client.Incarnation()-1) }

func (a *remoteAPIServer) Restart(ctx context.Context) error {
	return endAndReturn(ctx, a.client, &adminv1.EndPartRequest{})
}

// endAndReturn ends a part's process and waits until another one is there.
func endAndReturn(ctx context.Context, client *part.Client, how *adminv1.EndPartRequest) error {
	before := client.Incarnation()
	if err := client.End(ctx, how); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, returnLimit, fmt.Errorf("%s has not come back after %v", client.Name(), returnLimit))
	defer cancel()
	for client.Incarnation() == before || !client.Reachable() {
		if !rest(ctx, readyPoll) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// remoteLinks are the links of all API servers, as they are now.
func (c *control) remoteLinks() map[string]fault.Link {
	links := map[string]fault.Link{}
	for _, p := range c.topology.PartsOf(RoleAPIServer) {
		for name, link := range c.client(p).Links() {
			links[name] = link
		}
	}
	return links
}

// unreadyParts names the parts that are not there, or not well.
func (c *control) unreadyParts() []string {
	var missing []string
	for _, p := range c.known() {
		if !c.topology.wanted(p) && !c.joined(p) {
			continue // Somebody wanted something of it once, and it may not even be there.
		}
		if why := c.client(p).Unready(); why != "" {
			missing = append(missing, p.Name+" ("+why+")")
		}
	}
	return missing
}

// joined says whether a part is a member of the registry.
func (c *control) joined(p PartSpec) bool {
	return c.registry != nil && slices.ContainsFunc(c.registry.Members(), func(m registry.MemberStatus) bool { return m.Name == p.Name })
}

// searchLogs looks in the latest lines of this process's logs, and in those of
// the parts.
func (p *Platform) searchLogs(ctx context.Context, of, text string) (*adminv1.SearchLogsResponse, error) {
	own := p.logs.Search(of, text)
	if p.processes == nil {
		return own, nil
	}
	found, err := p.processes.searchLogs(ctx, of, text)
	total := telemetry.MergeFound(append(found, own)...)
	if total.GetLogs() == 0 {
		return total, err
	}
	return total, nil
}

func (c *control) searchLogs(ctx context.Context, of, text string) ([]*adminv1.SearchLogsResponse, error) {
	parts := c.known()
	found, errs := make([]*adminv1.SearchLogsResponse, len(parts)), make([]error, len(parts))
	var asking sync.WaitGroup
	for i, p := range parts {
		asking.Go(func() { found[i], errs[i] = c.client(p).SearchLogs(ctx, of, text) })
	}
	asking.Wait()
	return slices.DeleteFunc(found, func(r *adminv1.SearchLogsResponse) bool { return r == nil }), errors.Join(errs...)
}
