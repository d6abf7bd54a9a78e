package cluster

import (
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"

	"breakbank/platform/deploy"
	"breakbank/platform/registry"
)

// Layouts: how a platform is spread over processes.
const (
	// LayoutSingle is every role in one process.
	LayoutSingle = "single"
	// LayoutProcesses is a process for each role instance, on one machine.
	LayoutProcesses = "processes"
	// LayoutContainers is a container for each role instance.
	LayoutContainers = "containers"
)

// Topology says what a platform is made of. It is what the processes that run
// its roles read, as a YAML file.
type Topology struct {
	// Layout is how it is spread over processes; empty means single.
	Layout string `yaml:"layout,omitempty"`
	// Parts are the role instances with their addresses, where each is a
	// process of its own. With layout processes they are filled in when the
	// platform starts.
	Parts []PartSpec `yaml:"parts,omitempty"`
	// Bind is the address that parts listen at, such as 0.0.0.0, where theirs
	// are names of hosts. Empty: each at the host of its own address.
	Bind string `yaml:"bind,omitempty"`
	// TokenFile holds the token of admin listeners. Without one they must all
	// be on the loopback.
	TokenFile string `yaml:"token_file,omitempty"`
	// AccessLog has services log each call.
	AccessLog bool `yaml:"access_log,omitempty"`
	// Load is what customers do where nobody else makes them: gentle, or not at
	// all.
	Load LoadSpec `yaml:"load,omitempty"`
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
	// LogDir holds a log a part; empty for standard error, where a container's
	// logs belong.
	LogDir string `yaml:"log_dir,omitempty"`
	// AdminAddress is where the control API listens; empty for any port.
	AdminAddress string `yaml:"admin_address,omitempty"`
	// Generation names the settings that the topology was changed by.
	Generation string `yaml:"generation,omitempty"`
	// RemoveWhenOrphaned deletes Dir when the parent is gone without having
	// asked for anything to be kept.
	RemoveWhenOrphaned bool `yaml:"remove_when_orphaned,omitempty"`
}

// LoadSpec is a gentle load that goes on for as long as the platform does.
type LoadSpec struct {
	// RatePerS is journeys a second; 0 is none.
	RatePerS float64 `yaml:"rate_per_s"`
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
	text, err := t.YAML()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// YAML is the topology as ReadTopology reads it.
func (t Topology) YAML() ([]byte, error) {
	text, err := yaml.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("write topology: %w", err)
	}
	return text, nil
}

// layout is the one that an empty Layout means.
func (t Topology) layout() string {
	if t.Layout == "" {
		return LayoutSingle
	}
	return t.Layout
}

// check refuses a topology that could not be built.
func (t Topology) check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("topology: "+format, args...)) }
	switch t.Layout {
	case "", LayoutSingle, LayoutProcesses, LayoutContainers:
	default:
		refuse("layout is %q; it must be %s, %s or %s", t.Layout, LayoutSingle, LayoutProcesses, LayoutContainers)
	}
	if t.RegistryMembers < 1 || t.RegistryMembers > registry.MaxMembers {
		refuse("registry_members is %d; it must be 1 to %d", t.RegistryMembers, registry.MaxMembers)
	}
	zones := map[string]bool{}
	for _, z := range t.Zones {
		zones[z] = true
	}
	nodes := map[string]bool{}
	for _, n := range t.Nodes {
		if nodes[n.Name] {
			refuse("node %s is there twice", n.Name)
		}
		nodes[n.Name] = true
		if !zones[n.Zone] {
			refuse("node %s is in zone %q; the zones are %v", n.Name, n.Zone, t.Zones)
		}
	}
	for _, s := range t.Services {
		if why := deploy.CheckVersion(s.Version); why != "" {
			refuse("service %s has version %q: it %s", s.Name, s.Version, why)
		}
		for _, n := range s.Nodes {
			if !nodes[n] {
				refuse("service %s is placed on %q, which is not a node", s.Name, n)
			}
		}
	}
	if err := MayRun(t.Layout, t.Router); err != nil {
		errs = append(errs, fmt.Errorf("topology: %w", err))
	}
	if t.Load.RatePerS < 0 {
		refuse("load.rate_per_s is %g; it must not be negative", t.Load.RatePerS)
	}
	if t.Dir == "" {
		refuse("dir must be set")
	}
	if t.LogDir == "" && t.Layout != LayoutContainers {
		refuse("log_dir must be set")
	}
	return errors.Join(append(errs, t.checkParts()...)...)
}
