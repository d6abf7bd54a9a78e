package cluster

import (
	"hash/fnv"
	"log/slog"
	"net"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"breakbank/platform/node"
	"breakbank/platform/router"
	"breakbank/platform/router/clientside"
	"breakbank/platform/router/discovery"
)

// namingKind is the kind of object that etcd's naming keys stand in for: what
// becomes of an API server's connection for it becomes of a resolver's too.
const namingKind = "endpoints"

// Keepalives of modern etcd clients are those of a modern API server
// (platform/apiserver): gRPC sends none more often than each 10 s.
const (
	etcdKeepalive        = 10 * time.Second
	etcdKeepaliveTimeout = 3 * time.Second
)

// dataPlane makes what services on a node find each other with: the factory of
// its routers, or, where services are built without a proxy, that of the
// libraries which stand in for one, and the library of an instance. How they
// are built is the platform's to say, and it reads that in the routers'
// configuration; what they believe each node reads for itself.
func (t Topology) dataPlane(n NodeSpec, s surroundings, snapshots string, log *slog.Logger) (node.RouterFactory, node.CallerFactory, error) {
	config, err := router.ParseConfig([]byte(t.Router))
	if err != nil {
		return nil, nil, err
	}
	if config.DataPlane != router.DataPlaneClientSide {
		return t.routerFactory(n, s, snapshots, log), nil, nil
	}
	plane, err := clientside.New(clientside.Options{
		Node: n.Name, Zone: n.Zone, Discovery: config.Discovery, APIServers: s.apiServers,
		EtcdEndpoints: s.etcd, NamingClient: func() (*clientv3.Client, error) { return s.namingClient(t.EtcdClient) },
		NameServers: s.nameServers, Truth: s.truth,
		SnapshotDir: snapshots, Seed: seedOf(n.Name) + t.Seed<<32, Log: log,
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
		return plane.Caller(service, instance, log.With("instance", instance))
	}
	return newRouter, newCaller, nil
}

// routerFactory makes the routers of a node, each with a seed of its own that
// is the same in every run of the topology.
func (t Topology) routerFactory(n NodeSpec, s surroundings, snapshots string, log *slog.Logger) node.RouterFactory {
	incarnation := uint64(0)
	return func(config []byte, l net.Listener) (node.Router, error) {
		incarnation++
		r, err := router.New(router.Options{
			Node: n.Name, Zone: n.Zone, Index: slices.Index(t.Nodes, n), Callers: len(t.Nodes),
			Config: config, Listener: l, APIServers: s.apiServers,
			EtcdEndpoints: s.etcd, NameServers: s.nameServers, Truth: s.truth, Peers: s.peers,
			SnapshotDir: snapshots, Log: log, AccessLog: t.AccessLog, Seed: seedOf(n.Name) + t.Seed<<32 + incarnation,
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

// tellTruth is told what instances in a zone really serve.
func (s *single) tellTruth(zone string) func(node.InstanceStatus, bool) {
	return func(i node.InstanceStatus, serves bool) {
		endpoint := discovery.Endpoint{Addr: i.Address, Instance: i.Name, Zone: zone}
		if serves {
			s.truth.Serves(i.Service, endpoint)
		} else {
			s.truth.Ends(i.Service, endpoint)
		}
	}
}
