package cluster

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"breakbank/platform/ports"
	"breakbank/platform/registry"
)

// Roles: what can live or die alone.
const (
	RoleEtcd      = "etcd"
	RoleAPIServer = "apiserver"
	RoleNode      = "node"
	RoleBook      = "book"
	RoleNATS      = "nats"
	// RoleControl is the controllers and the control API.
	RoleControl = "control"
	// RoleLoad is a gentle load.
	RoleLoad = "load"
)

// Roles lists every role, in the order in which a platform is read.
var Roles = []string{RoleEtcd, RoleAPIServer, RoleNode, RoleBook, RoleNATS, RoleControl, RoleLoad}

// PartSpec is one role instance in a process of its own, and where it is
// reached (host:port).
type PartSpec struct {
	// Name is unique: etcd-a, apiserver-a, a1 (a node), book, nats, control.
	Name string `yaml:"name"`
	Role string `yaml:"role"`
	Zone string `yaml:"zone,omitempty"`
	// Admin is its admin listener; the control process serves the control API
	// there.
	Admin string `yaml:"admin"`
	// Address is where an API server, the book or NATS serves.
	Address string `yaml:"address,omitempty"`
	// Client and Peer are an etcd member's.
	Client string `yaml:"client,omitempty"`
	Peer   string `yaml:"peer,omitempty"`
	// Links are where an API server's links to etcd begin, by kind; DNS is its
	// zone's name server.
	Links map[string]string `yaml:"links,omitempty"`
	DNS   string            `yaml:"dns,omitempty"`
	// Router and Table are where a node's router listens and lends its table.
	Router string `yaml:"router,omitempty"`
	Table  string `yaml:"table,omitempty"`
	// Host is what a node's instances are reached at.
	Host string `yaml:"host,omitempty"`
	// Fixed are the addresses of services that keep theirs on this node.
	Fixed map[string]string `yaml:"fixed,omitempty"`
}

// Part finds a part by its name.
func (t Topology) Part(name string) (PartSpec, bool) {
	i := slices.IndexFunc(t.Parts, func(p PartSpec) bool { return p.Name == name })
	if i < 0 {
		return PartSpec{}, false
	}
	return t.Parts[i], true
}

// PartsOf lists the parts with a role, in the order of the file.
func (t Topology) PartsOf(role string) []PartSpec {
	return slices.DeleteFunc(slices.Clone(t.Parts), func(p PartSpec) bool { return p.Role != role })
}

// node is a node by its name.
func (t Topology) node(name string) (NodeSpec, bool) {
	i := slices.IndexFunc(t.Nodes, func(n NodeSpec) bool { return n.Name == name })
	if i < 0 {
		return NodeSpec{}, false
	}
	return t.Nodes[i], true
}

// wanted says whether the platform as it is now includes a part. The parts may
// name more nodes than there are: machines that are there and not in use.
func (t Topology) wanted(p PartSpec) bool {
	switch p.Role {
	case RoleNode:
		_, in := t.node(p.Name)
		return in
	case RoleEtcd:
		return slices.IndexFunc(t.PartsOf(RoleEtcd), func(e PartSpec) bool { return e.Name == p.Name }) < t.RegistryMembers
	case RoleLoad:
		return t.Load.RatePerS > 0
	}
	return true
}

// fixedOn lists the services that keep an address on a node.
func (t Topology) fixedOn(node string) []string {
	var names []string
	for _, s := range t.Services {
		if s.Fixed && slices.Contains(s.Nodes, node) {
			names = append(names, s.Name)
		}
	}
	return names
}

// runsOn says whether any service has an instance on a node from the start.
func (t Topology) runsOn(node string) bool {
	return slices.ContainsFunc(t.Services, func(s ServiceSpec) bool { return !s.Later && slices.Contains(s.Nodes, node) })
}

// checkParts refuses parts that do not make a platform.
func (t Topology) checkParts() []error {
	if t.Layout != LayoutContainers && len(t.Parts) == 0 {
		return nil
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("topology: "+format, args...)) }
	names, holders := map[string]bool{}, map[string]string{}
	for _, p := range t.Parts {
		if names[p.Name] {
			refuse("part %s is there twice", p.Name)
		}
		names[p.Name] = true
		if !slices.Contains(Roles, p.Role) {
			refuse("part %s has role %q; roles are %v", p.Name, p.Role, Roles)
			continue
		}
		addresses := p.addresses()
		for _, what := range slices.Sorted(maps.Keys(addresses)) {
			address, own := addresses[what], p.Name+"'s "+what
			if _, _, err := net.SplitHostPort(address); err != nil {
				refuse("part %s: %s is %q; it must be host:port", p.Name, what, address)
			} else if other := holders[address]; other != "" {
				refuse("%s is %s and %s; each needs its own", address, other, own)
			}
			holders[address] = own
		}
	}
	for role, least := range map[string]int{RoleAPIServer: 1, RoleBook: 1, RoleNATS: 1, RoleControl: 1, RoleEtcd: t.RegistryMembers} {
		if n := len(t.PartsOf(role)); n < least {
			refuse("it has %d parts with role %s; it needs %d", n, role, least)
		}
	}
	for _, n := range t.Nodes {
		p, ok := t.Part(n.Name)
		if !ok || p.Role != RoleNode {
			refuse("node %s is no part", n.Name)
			continue
		}
		for _, service := range t.fixedOn(n.Name) {
			if p.Fixed[service] == "" {
				refuse("part %s: fixed has no address for %s, which is placed there", p.Name, service)
			}
		}
	}
	return errs
}

// addresses are those that a part of its role must have.
func (p PartSpec) addresses() map[string]string {
	all := map[string]string{"admin": p.Admin}
	switch p.Role {
	case RoleEtcd:
		all["client"], all["peer"] = p.Client, p.Peer
	case RoleAPIServer:
		all["address"] = p.Address
		for _, kind := range RelayedKinds {
			all["links."+kind] = p.Links[kind]
		}
	case RoleNode:
		all["router"], all["table"] = p.Router, p.Table
		for service, address := range p.Fixed {
			all["fixed."+service] = address
		}
	case RoleBook, RoleNATS:
		all["address"] = p.Address
	}
	return all
}

// Placed returns the topology with a part for every role instance on this
// machine's loopback, each with ports that nobody else is given until free is
// closed: etcd members for the largest registry, so that it can grow.
func (t Topology) Placed(free *ports.Allocator) (Topology, error) {
	var errs []error
	_, taken, _ := net.SplitHostPort(t.AdminAddress) // It may be empty.
	address := func() string {
		for {
			at, err := free.Address()
			if err != nil {
				errs = append(errs, err)
				return ""
			}
			if _, port, _ := net.SplitHostPort(at); port != taken {
				return at
			}
		}
	}
	t.Parts = nil
	add := func(p PartSpec) {
		if p.Admin == "" {
			p.Admin = address()
		}
		t.Parts = append(t.Parts, p)
	}
	for _, place := range registry.MemberPlaces {
		add(PartSpec{Name: place.Name, Role: RoleEtcd, Zone: place.Zone, Client: address(), Peer: address()})
	}
	for _, zone := range t.Zones {
		p := PartSpec{Name: "apiserver-" + zone, Role: RoleAPIServer, Zone: zone, Address: address(), DNS: address(), Links: map[string]string{}}
		for _, kind := range RelayedKinds {
			p.Links[kind] = address()
		}
		add(p)
	}
	for _, n := range t.Nodes {
		p := PartSpec{Name: n.Name, Role: RoleNode, Zone: n.Zone, Router: address(), Table: address(), Fixed: map[string]string{}}
		for _, service := range t.fixedOn(n.Name) {
			p.Fixed[service] = address()
		}
		add(p)
	}
	add(PartSpec{Name: RoleBook, Role: RoleBook, Address: address()})
	add(PartSpec{Name: RoleNATS, Role: RoleNATS, Address: address()})
	add(PartSpec{Name: RoleControl, Role: RoleControl, Admin: t.AdminAddress})
	for _, err := range errs {
		if err != nil {
			return t, fmt.Errorf("place the parts: %w", err)
		}
	}
	return t, t.check()
}

// edges are the instances with fixed addresses, in the order of the nodes.
func (t Topology) edges() []edge {
	var edges []edge
	for _, n := range t.Nodes {
		p, _ := t.Part(n.Name)
		for _, service := range slices.Sorted(maps.Keys(p.Fixed)) {
			if slices.Contains(t.fixedOn(n.Name), service) {
				edges = append(edges, edge{service, n.Name, n.Zone, p.Fixed[service]})
			}
		}
	}
	return edges
}

// bind is where a part listens that others reach at an address.
func (t Topology) bind(address string) string {
	if t.Bind == "" {
		return address
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address // It was checked.
	}
	return net.JoinHostPort(t.Bind, port)
}

// listen listens where others reach the address.
func (t Topology) listen(address string) (*net.TCPListener, error) {
	l, err := net.Listen("tcp4", t.bind(address))
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// PartNames resolves what a user calls parts, ROLE or ROLE/NAME, to their
// names. A role alone means its only part.
func (t Topology) PartNames(of []string) ([]string, error) {
	var names []string
	for _, word := range of {
		roleName, name, named := strings.Cut(word, "/")
		if !slices.Contains(Roles, roleName) {
			return nil, fmt.Errorf("role %q: the roles are %s, and all", roleName, strings.Join(Roles, ", "))
		}
		var candidates []string
		for _, p := range t.PartsOf(roleName) {
			candidates = append(candidates, p.Name)
		}
		switch {
		case len(candidates) == 0:
			return nil, fmt.Errorf("role %s: the topology has no part with it", roleName)
		case named && !slices.Contains(candidates, name):
			return nil, fmt.Errorf("%s: the topology has no such part; with role %s it has %s", word, roleName, strings.Join(candidates, ", "))
		case !named && len(candidates) > 1:
			return nil, fmt.Errorf("role %s: the topology has %d parts with it; say which, such as %s/%s", roleName, len(candidates), roleName, candidates[0])
		case !named:
			name = candidates[0]
		}
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("%s is asked for twice", name)
		}
		names = append(names, name)
	}
	return names, nil
}
