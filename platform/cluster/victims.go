package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"breakbank/platform/fault"
	"breakbank/platform/node"
	"breakbank/platform/registry"
)

// proofLimit bounds each look at a victim.
const proofLimit = 2 * time.Second

// The platform is what faults act on, and where their proof comes from.
var _ fault.Victims = (*Platform)(nil)

// Links are the relays that can be broken, by name.
func (p *Platform) Links() map[string]fault.Link { return p.links() }

// Instances names every instance that runs.
func (p *Platform) Instances() []string {
	var names []string
	for _, a := range p.nodes {
		for _, i := range a.Instances() {
			names = append(names, i.Name)
		}
	}
	slices.Sort(names)
	return names
}

// KillInstance ends an instance as a crash would.
func (p *Platform) KillInstance(_ context.Context, name string) error {
	for _, a := range p.nodes {
		for _, i := range a.Instances() {
			if i.Name == name {
				return a.SignalInstance(name, node.SignalKill)
			}
		}
	}
	return fmt.Errorf("no instance %q; running are %s", name, strings.Join(p.Instances(), ", "))
}

// InstanceAddress is where an instance that runs is reached.
func (p *Platform) InstanceAddress(name string) (string, bool) {
	for _, a := range p.nodes {
		for _, i := range a.Instances() {
			if i.Name == name {
				return i.Address, true
			}
		}
	}
	return "", false
}

// RestartRouter stops a node's router and lets its agent start it again.
func (p *Platform) RestartRouter(ctx context.Context, name string) error {
	a, err := p.agent(name)
	if err != nil {
		return err
	}
	if err := a.RestartRouter(ctx); err != nil {
		return fmt.Errorf("router of %s: %w", name, err)
	}
	return nil
}

// RouterRuns says whether a node's router runs.
func (p *Platform) RouterRuns(name string) bool {
	a, err := p.agent(name)
	return err == nil && a.RouterStatus().Running
}

// RouterIncarnation counts the routers that a node has had.
func (p *Platform) RouterIncarnation(name string) int64 {
	if a, err := p.agent(name); err == nil {
		return a.RouterStatus().Incarnation
	}
	return 0
}

// APIServers names the API servers.
func (p *Platform) APIServers() []string {
	var names []string
	for _, s := range p.apiServers {
		names = append(names, s.name)
	}
	return names
}

// RestartAPIServer restarts one API server at its address.
func (p *Platform) RestartAPIServer(ctx context.Context, name string) error {
	s, err := p.apiServer(name)
	if err != nil {
		return err
	}
	p.log.Info("restarting", "apiserver", name)
	return s.Restart(ctx)
}

// APIServerIncarnation counts the restarts of an API server.
func (p *Platform) APIServerIncarnation(name string) int64 {
	if s, err := p.apiServer(name); err == nil {
		return s.Restarts()
	}
	return 0
}

// Members names the etcd members.
func (p *Platform) Members() []string {
	var names []string
	for _, m := range p.registry.Members() {
		names = append(names, m.Name)
	}
	return names
}

// StopMember takes an etcd member away; its data stays.
func (p *Platform) StopMember(ctx context.Context, name string) error {
	return p.registry.StopMember(ctx, name)
}

// StartMember brings it back.
func (p *Platform) StartMember(ctx context.Context, name string) error {
	return p.registry.StartMember(ctx, name)
}

// RegistryServes says whether a linearizable read succeeds, which takes a
// quorum.
func (p *Platform) RegistryServes(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, proofLimit)
	defer cancel()
	return p.registry.Serves(ctx) == nil
}

// Store is where records of endpoints are broken.
func (p *Platform) Store() *registry.Store { return p.records }

// APIServerRevision is the revision of an API server's cache of a kind.
func (p *Platform) APIServerRevision(name, resource string) int64 {
	if s, err := p.apiServer(name); err == nil {
		return s.CacheRevision(resource)
	}
	return 0
}

func (p *Platform) agent(name string) (nodeHandle, error) {
	if a, ok := p.nodes[name]; ok {
		return a, nil
	}
	return nil, fmt.Errorf("no node %q; the nodes are %s", name, strings.Join(p.Routers(), ", "))
}

func (p *Platform) apiServer(name string) (apiServer, error) {
	for _, s := range p.apiServers {
		if s.name == name {
			return s, nil
		}
	}
	return apiServer{}, fmt.Errorf("no API server %q; they are %s", name, strings.Join(p.APIServers(), ", "))
}
