package cluster

import (
	"fmt"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"breakbank/platform/apiserver"
	"breakbank/platform/node"
	"breakbank/platform/router/feed"
)

// surroundings is what a node is told of the rest of the platform.
type surroundings struct {
	// apiServers are base URLs, the own zone's first; nameServers are in the
	// same order, and none unless routers ask DNS.
	apiServers  []string
	nameServers []string
	// peers are where the routers of other nodes lend their tables.
	peers []string
	// etcd lists the members' addresses for clients.
	etcd func() []string
	// naming is where a resolver of the node's zone reaches etcd.
	naming string
	// truth is what instances really serve; nil where nobody knows.
	truth *feed.Truth
	// book, nats and standin are the addresses that instances are told.
	book, nats, standin string
}

// env is what an instance is told of its surroundings.
func (s surroundings) env(t Topology) node.Env {
	return node.Env{
		BookAddr: s.book, NATSURL: s.nats, StandinAddr: s.standin,
		Fallback: t.Fallback, FallbackOn: t.FallbackOn,
	}
}

// namingClient connects to etcd as the naming resolver of a service in a zone
// does: over the link of that zone's API server for endpoints, so that a fault
// which darkens the one darkens the other, and with the same kind of client.
func (s surroundings) namingClient(etcdClient string) (*clientv3.Client, error) {
	config := clientv3.Config{Endpoints: []string{s.naming}, Logger: quietZap}
	if etcdClient == apiserver.ClientModern {
		config.DialKeepAliveTime, config.DialKeepAliveTimeout = etcdKeepalive, etcdKeepaliveTimeout
	}
	return clientv3.New(config)
}

// surroundingsOf reads in the parts of a topology what a node is told.
func (t Topology) surroundingsOf(n NodeSpec) surroundings {
	s := surroundings{standin: standinAddress(t.edges())}
	etcd := t.etcdAddresses()
	s.etcd = func() []string { return etcd }
	for _, p := range ownZoneFirst(t.PartsOf(RoleAPIServer), n.Zone) {
		s.apiServers = append(s.apiServers, "http://"+p.Address)
		if p.DNS != "" {
			s.nameServers = append(s.nameServers, p.DNS)
		}
		if p.Zone == n.Zone && s.naming == "" {
			s.naming = p.Links[namingKind]
		}
	}
	for _, other := range t.Nodes {
		if p, ok := t.Part(other.Name); ok && other.Name != n.Name {
			s.peers = append(s.peers, "http://"+p.Table)
		}
	}
	book, _ := t.Part(RoleBook)
	nats, _ := t.Part(RoleNATS)
	s.book, s.nats = book.Address, fmt.Sprintf("nats://%s", nats.Address)
	return s
}

// etcdAddresses are where clients reach the members that a platform starts
// with.
func (t Topology) etcdAddresses() []string {
	var addresses []string
	for _, p := range t.PartsOf(RoleEtcd) {
		if t.wanted(p) {
			addresses = append(addresses, p.Client)
		}
	}
	return addresses
}

// ownZoneFirst orders parts as somebody in a zone tries them.
func ownZoneFirst(parts []PartSpec, zone string) []PartSpec {
	sorted := slices.Clone(parts)
	slices.SortStableFunc(sorted, func(a, b PartSpec) int {
		switch {
		case a.Zone == zone && b.Zone != zone:
			return -1
		case a.Zone != zone && b.Zone == zone:
			return 1
		}
		return 0
	})
	return sorted
}

// standinAddress is where stand-in is, whatever discovery says.
func standinAddress(edges []edge) string {
	for _, e := range edges {
		if e.service == standinService {
			return e.address
		}
	}
	return ""
}
