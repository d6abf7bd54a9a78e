package cluster

import (
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// Topology says what a platform is made of. It is what the parent hands to
// the process that runs the roles, as a YAML file.
type Topology struct {
	// Zones are failure domains, such as a, b and c.
	Zones []string `yaml:"zones"`
	// Nodes are machines; each runs a router and instances.
	Nodes []NodeSpec `yaml:"nodes"`
	// RegistryMembers is the number of etcd members to start with.
	RegistryMembers int `yaml:"registry_members"`
	// EtcdClient is how API servers talk to etcd: pinned (as in 2017) or
	// modern.
	EtcdClient string `yaml:"etcd_client"`
	// Router is the routers' configuration, YAML, as it goes into the
	// ConfigMap that node agents read.
	Router string `yaml:"router"`
	// Seed is what the routers draw picks and jitter from, each with its node's
	// name.
	Seed uint64 `yaml:"seed,omitempty"`
	// Services are what the bank is made of.
	Services []ServiceSpec `yaml:"services"`
	// BackgroundServices is how many Services with three static addresses
	// and no instances give the table a realistic size.
	BackgroundServices int `yaml:"background_services"`
	// Fallback is how the card edge reaches stand-in once switched on: none,
	// routed or independent.
	Fallback string `yaml:"fallback"`
	// FallbackOn switches it on from the start.
	FallbackOn bool `yaml:"fallback_on"`
	// Durability of the book: fsync or memory.
	Durability string `yaml:"durability"`
	// Dir holds every byte the platform writes, logs apart.
	Dir string `yaml:"dir"`
	// LogDir holds a log a part.
	LogDir string `yaml:"log_dir"`
	// AdminAddress is where the control API listens; empty for any port.
	AdminAddress string `yaml:"admin_address,omitempty"`
	// RemoveWhenOrphaned deletes Dir when the parent is gone without having
	// asked for anything to be kept.
	RemoveWhenOrphaned bool `yaml:"remove_when_orphaned,omitempty"`
}

// NodeSpec is a machine.
type NodeSpec struct {
	Name string `yaml:"name"`
	Zone string `yaml:"zone"`
}

// ServiceSpec is a service and where its replicas go.
type ServiceSpec struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	// Nodes take one replica each.
	Nodes []string `yaml:"nodes"`
	// Fixed services keep one address a node for the whole run: the edges,
	// and stand-in.
	Fixed bool `yaml:"fixed,omitempty"`
	// Later services are known, but do not exist until they are deployed.
	Later bool `yaml:"later,omitempty"`
}

// Standard returns three zones of two nodes and three etcd members, without
// services or router configuration.
func Standard() Topology {
	t := Topology{
		Zones:              []string{"a", "b", "c"},
		RegistryMembers:    3,
		EtcdClient:         "pinned",
		BackgroundServices: 100,
		Fallback:           "none",
		Durability:         "fsync",
	}
	for _, zone := range t.Zones {
		for _, n := range []string{"1", "2"} {
			t.Nodes = append(t.Nodes, NodeSpec{Name: zone + n, Zone: zone})
		}
	}
	return t
}

// ReadTopology reads and checks a topology file.
func ReadTopology(path string) (Topology, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Topology{}, fmt.Errorf("read topology: %w", err)
	}
	var t Topology
	if err := yaml.UnmarshalWithOptions(text, &t, yaml.Strict()); err != nil {
		return Topology{}, fmt.Errorf("read topology %s: %w", path, err)
	}
	return t, t.check()
}

// Write stores the topology where ReadTopology finds it.
func (t Topology) Write(path string) error {
	text, err := yaml.Marshal(t)
	if err != nil {
		return fmt.Errorf("write topology: %w", err)
	}
	return os.WriteFile(path, text, 0o600)
}

// check refuses a topology that could not be built.
func (t Topology) check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("topology: "+format, args...)) }
	if t.RegistryMembers < 1 || t.RegistryMembers > 9 {
		refuse("registry_members is %d; it must be 1 to 9", t.RegistryMembers)
	}
	zones := map[string]bool{}
	for _, z := range t.Zones {
		zones[z] = true
	}
	nodes := map[string]bool{}
	for _, n := range t.Nodes {
		nodes[n.Name] = true
		if !zones[n.Zone] {
			refuse("node %s is in zone %q; the zones are %v", n.Name, n.Zone, t.Zones)
		}
	}
	for _, s := range t.Services {
		for _, n := range s.Nodes {
			if !nodes[n] {
				refuse("service %s is placed on %q, which is not a node", s.Name, n)
			}
		}
	}
	if t.Dir == "" || t.LogDir == "" {
		refuse("dir and log_dir must be set")
	}
	return errors.Join(errs...)
}
