package cluster

import (
	"hash/fnv"
	"log/slog"
	"net"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"breakbank/platform/apiserver"
	"breakbank/platform/node"
	"breakbank/platform/router"
	"breakbank/platform/router/clientside"
	"breakbank/platform/router/discovery"
)

// namingKind is the kind of object that etcd's naming keys stand in for: what
// becomes of an API server's connection for it becomes of a resolver's too.
const namingKind = "endpoints"

// Keepalives of a modern naming client are those of a modern API server
// (platform/apiserver): gRPC sends none more often than each 10 s.
const (
	namingKeepalive        = 10 * time.Second
	namingKeepaliveTimeout = 3 * time.Second
)

// dataPlane makes what services on a node find each other with: the factory of
// its routers, or, where services are built without a proxy, that of the
// libraries which stand in for one, and the library of an instance. How they
// are built is the platform's to say, and it reads that in the routers'
// configuration; what they believe each node reads for itself.
func (p *Platform) dataPlane(n NodeSpec, snapshots string) (node.RouterFactory, node.CallerFactory, error) {
	config, err := router.ParseConfig([]byte(p.topology.Router))
	if err != nil {
		return nil, nil, err
	}
	if config.DataPlane != router.DataPlaneClientSide {
		return p.routerFactory(n, snapshots), nil, nil
	}
	plane, err := clientside.New(clientside.Options{
		Node: n.Name, Zone: n.Zone, Discovery: config.Discovery, APIServers: p.apiServersFor(n.Zone),
		EtcdEndpoints: p.registry.ClientAddrs, NamingClient: func() (*clientv3.Client, error) { return p.namingClient(n.Zone) },
		NameServers: p.nameServersFor(n.Zone), Truth: &p.truth,
		SnapshotDir: snapshots, Seed: seedOf(n.Name) + p.topology.Seed<<32, Log: p.logs.of("router-" + n.Name),
	})
	if err != nil {
		return nil, nil, err
	}
	newRouter := func(config []byte, l net.Listener) (node.Router, error) {
		i, err := plane.Start(config, l)
		if err != nil {
			return nil, err
		}
		return i, nil
	}
	newCaller := func(service, instance string, _ *slog.Logger) node.Caller {
		return plane.Caller(service, instance, p.logs.of("router-"+n.Name).With("instance", instance))
	}
	return newRouter, newCaller, nil
}

// routerFactory makes the routers of a node, each with a seed of its own that
// is the same in every run of the topology.
func (p *Platform) routerFactory(n NodeSpec, snapshots string) node.RouterFactory {
	incarnation := uint64(0)
	return func(config []byte, l net.Listener) (node.Router, error) {
		incarnation++
		r, err := router.New(router.Options{
			Node: n.Name, Zone: n.Zone, Index: slices.Index(p.topology.Nodes, n), Callers: len(p.topology.Nodes),
			Config: config, Listener: l, APIServers: p.apiServersFor(n.Zone),
			EtcdEndpoints: p.registry.ClientAddrs, NameServers: p.nameServersFor(n.Zone), Truth: &p.truth, Peers: p.peersOf(n.Name),
			SnapshotDir: snapshots, Log: p.logs.of("router-" + n.Name), Seed: seedOf(n.Name) + p.topology.Seed<<32 + incarnation,
		})
		if err != nil {
			return nil, err
		}
		r.Start()
		return r, nil
	}
}

func seedOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// namingClient connects to etcd as the naming resolver of a service in a zone
// does: over the link of that zone's API server for endpoints, so that a fault
// which darkens the one darkens the other, and with the same kind of client.
func (p *Platform) namingClient(zone string) (*clientv3.Client, error) {
	config := clientv3.Config{
		Endpoints: []string{p.links[linkName("apiserver-"+zone, namingKind)].Addr()},
		Logger:    quietZap,
	}
	if p.topology.EtcdClient == apiserver.ClientModern {
		config.DialKeepAliveTime, config.DialKeepAliveTimeout = namingKeepalive, namingKeepaliveTimeout
	}
	return clientv3.New(config)
}

// tellTruth is told what instances in a zone really serve.
func (p *Platform) tellTruth(zone string) func(node.InstanceStatus, bool) {
	return func(i node.InstanceStatus, serves bool) {
		endpoint := discovery.Endpoint{Addr: i.Address, Instance: i.Name, Zone: zone}
		if serves {
			p.truth.Serves(i.Service, endpoint)
		} else {
			p.truth.Ends(i.Service, endpoint)
		}
	}
}
