package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"breakbank/platform/apiserver"
	"breakbank/platform/fault"
	"breakbank/platform/registry"
)

const (
	etcdDialTimeout = 5 * time.Second
	// relistenLimit bounds how long a restarted API server waits for the
	// address it had.
	relistenLimit = 5 * time.Second
)

// RelayedKinds are the kinds whose etcd connection runs through a relay, so
// that it can go dark (mechanism 1 of the outage). Deployments, pods, nodes
// and leases are not among them: those kept flowing in 2017.
var RelayedKinds = []string{"services", "endpoints", "endpointslices", "configmaps"}

// apiServerRole is one API server that can be restarted at its address.
type apiServerRole struct {
	name, zone, address string
	start               func(net.Listener) (*apiserver.Server, error)

	mu          sync.Mutex
	server      *apiserver.Server // nil while it is down
	incarnation int64
}

// linkName is the name of the link between an API server and etcd for a kind.
func linkName(apiServer, kind string) string { return apiServer + "/etcd/" + kind }

func (s *single) startAPIServers(ctx context.Context) error {
	for _, zone := range s.topology.Zones {
		role, err := s.newAPIServer(ctx, "apiserver-"+zone, zone)
		if err != nil {
			return err
		}
		s.apiServers = append(s.apiServers, apiServer{role.name, zone, role.address, role})
		s.roles = append(s.roles, role)
	}
	return nil
}

// newAPIServer starts an API server with its relays.
func (s *single) newAPIServer(ctx context.Context, name, zone string) (*apiServerRole, error) {
	for _, kind := range RelayedKinds {
		l, err := s.ports.Listen()
		if err != nil {
			return nil, err
		}
		link := linkName(name, kind)
		relay := fault.NewRelay(l, func() string { return s.memberFor(zone) }, link)
		s.relays[link] = relay
		s.onClose("link "+link, relay.Close)
	}
	endpoint := func(resource string) string {
		if relay, relayed := s.relays[linkName(name, resource)]; relayed {
			return relay.Addr()
		}
		return s.memberFor(zone)
	}
	l, err := s.ports.Listen()
	if err != nil {
		return nil, err
	}
	role := &apiServerRole{name: name, zone: zone, address: l.Addr().String()}
	role.start = func(l net.Listener) (*apiserver.Server, error) {
		return apiserver.Start(ctx, apiserver.Config{
			Name: name, Zone: zone, Listener: l, EtcdEndpoint: endpoint,
			EtcdClient: s.topology.EtcdClient, Log: s.logs.Of(name),
		})
	}
	if role.server, err = role.start(l); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.onClose(name, role.Close)
	return role, nil
}

// memberFor is the client address of the first etcd member of a zone, the
// one an API server there was configured with.
func (s *single) memberFor(zone string) string {
	members := s.registry.Members()
	own := slices.IndexFunc(members, func(m registry.MemberStatus) bool { return m.Zone == zone })
	return members[max(own, 0)].ClientAddr
}

// Restart drops every connection and starts a fresh server, with fresh etcd
// connections and empty watch caches, at the same address.
func (r *apiServerRole) Restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.stop(); err != nil {
		return fmt.Errorf("restart %s: %w", r.name, err)
	}
	l, err := listenAgain(ctx, r.address)
	if err != nil {
		return fmt.Errorf("restart %s: %w", r.name, err)
	}
	if r.server, err = r.start(l); err != nil {
		return fmt.Errorf("restart %s: %w", r.name, err)
	}
	r.incarnation++
	return nil
}

// CacheRevision is the revision of the watch cache of a kind, 0 while down.
func (r *apiServerRole) CacheRevision(resource string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server == nil {
		return 0
	}
	return r.server.CacheRevision(resource)
}

// Ready says whether the cache of a resource has had its first list.
func (r *apiServerRole) Ready(resource string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server != nil && r.server.Ready(resource)
}

// Restarts counts them.
func (r *apiServerRole) Restarts() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.incarnation
}

// Close stops the server for good.
func (r *apiServerRole) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop()
}

// stop drops every connection of the server, if there is one. The caller holds
// mu.
func (r *apiServerRole) stop() error {
	if r.server == nil {
		return nil
	}
	server := r.server
	r.server = nil
	return server.Close()
}

// listenAgain listens at an address that this process has just given up.
func listenAgain(ctx context.Context, address string) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, relistenLimit)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		l, err := net.Listen("tcp4", address)
		if err == nil {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-retry.C:
		}
	}
}

// apiServersFor lists the API servers as a node in a zone tries them: its own
// zone's first.
func (s *single) apiServersFor(zone string) []string {
	var own, others []string
	for _, a := range s.apiServers {
		if base := "http://" + a.address; a.zone == zone {
			own = append(own, base)
		} else {
			others = append(others, base)
		}
	}
	return append(own, others...)
}

// running are the API servers that are not being restarted.
func (s *single) running() []*apiserver.Server {
	var servers []*apiserver.Server
	for _, r := range s.roles {
		r.mu.Lock()
		if r.server != nil {
			servers = append(servers, r.server)
		}
		r.mu.Unlock()
	}
	return servers
}
