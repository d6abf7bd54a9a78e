package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	adminv1 "breakbank/proto/admin/v1"
)

const (
	// readyLimit bounds how long the bank may take to come up.
	readyLimit = 60 * time.Second
	readyPoll  = 20 * time.Millisecond
)

// standinService is the service whose fixed address every edge is told, so
// that a fallback can be independent of discovery.
const standinService = "standin"

// awaitReady waits until every instance serves and every router's table is
// what etcd says.
func (p *Platform) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		missing := p.missing()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %s; the logs in %s say why", readyLimit, strings.Join(missing, ", "), p.topology.LogDir)
		case <-poll.C:
		}
	}
}

// missing names what is not there: of each service as many instances as it has
// been scaled to, or as the topology says while nobody has.
func (p *Platform) missing() []string {
	ready := map[string]int{}
	for _, n := range p.nodes {
		for _, i := range n.Instances() {
			if i.Ready {
				ready[i.Service]++
			}
		}
	}
	missing := p.alsoMissing()
	scaled := p.controllers.Wanted()
	for _, s := range p.topology.Services {
		if s.Later {
			continue
		}
		wanted, known := scaled[s.Name]
		if !known {
			wanted = len(s.Nodes)
		}
		if lacking := wanted - ready[s.Name]; lacking > 0 {
			missing = append(missing, fmt.Sprintf("%d of %s", lacking, s.Name))
		} else if p.judge.addresses(s.Name) < wanted {
			missing = append(missing, "endpoints of "+s.Name)
		}
	}
	if len(missing) > 0 {
		return missing
	}
	for _, name := range p.Routers() {
		v := p.judge.of(name)
		if v.revision != p.judge.seenRevision() || v.state != adminv1.DiscoveryState_DISCOVERY_STATE_LIVE || !v.behindSince.IsZero() {
			missing = append(missing, "table of router "+name)
		}
	}
	return missing
}

// Routers names the nodes, each of which has one router.
func (p *Platform) Routers() []string { return slices.Sorted(maps.Keys(p.nodes)) }
