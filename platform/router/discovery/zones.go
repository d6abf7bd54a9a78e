package discovery

import (
	"log/slog"
	"maps"
	"slices"
	"time"
)

// Zones are for data planes that want to know where instances are. A record names
// the node of an address, and only the Nodes say which zone that is in:
//
//	a record names a node not known --> the Nodes are read, all of them, once
//	they come -----------------------> what waited for them gets its zone
//	they do not, or lack that node --> again, after longer and longer
//
// An instance whose node is not known yet is used all the same. So nothing waits
// for zones, and between two new nodes they cost a look into a map for each
// address that is read. A node that has moved to another zone, which in Kubernetes
// none does, is noticed when the Nodes are read next, by records after that.

const (
	// zonesAgain is the least time from a reading of the Nodes that told all that
	// was wanted to the next: new nodes come together. (Ours.)
	zonesAgain = 10 * time.Second
	// zonesRetryMin is the time after one that did not, as from an API server
	// whose cache is a moment behind; it doubles up to zonesRetryMax while nothing
	// is told at all. (Ours.)
	zonesRetryMin = time.Second
	zonesRetryMax = 5 * time.Minute
	// maxNodes bounds what is remembered: twice what Kubernetes supports
	// (kubernetes.io, Considerations for large clusters: 5,000). Of more, those
	// beyond it have no zone.
	maxNodes = 10_000
	// maxZoneNames bounds the zone names that share their memory; more than that
	// are no zones.
	maxZoneNames = 64
)

// zones is what is known of where nodes are. Records are read by it.
type zones struct {
	byNode map[string]string // "" for a node that is in none
	names  map[string]string // each zone's name, once

	// missing are, by service and address, the nodes that records have named
	// and that are not known.
	missing map[string]map[string]string

	asking bool
	due    time.Time     // not to be read before
	retry  time.Duration // the last pause after nothing was told; 0: something was
}

func newZones() *zones {
	return &zones{byNode: map[string]string{}, names: map[string]string{}, missing: map[string]map[string]string{}}
}

// of returns the zone of a node, and whether the node is known; one without a
// name is as known as it will be.
func (z *zones) of(node []byte) (zone string, known bool) {
	if len(node) == 0 {
		return "", true
	}
	zone, known = z.byNode[string(node)]
	return zone, known
}

// named returns a zone's name as memory that others share.
func (z *zones) named(zone []byte) string {
	if name, ok := z.names[string(zone)]; ok {
		return name
	}
	name := string(zone)
	if len(z.names) < maxZoneNames {
		z.names[name] = name
	}
	return name
}

// placed notes which nodes an entry lacks, and gives it what is known of the same
// instances from before.
func (c *Core) placed(entry Entry) Entry {
	lacking := entry.lacking
	entry.lacking = nil
	switch {
	case c.zones == nil:
		return entry
	case len(lacking) == 0:
		delete(c.zones.missing, entry.Service)
		return entry
	}
	c.zones.missing[entry.Service] = lacking
	before := c.said[entry.Service].Endpoints
	for i, ep := range entry.Endpoints {
		if _, lacks := lacking[ep.Addr]; !lacks {
			continue
		}
		k, found := slices.BinarySearchFunc(before, ep, byAddr)
		if found && before[k].is(ep) {
			entry.Endpoints[i].Zone = before[k].Zone // nobody else has the entry yet
		}
	}
	return entry
}

// unplaced forgets which nodes a service lacks.
func (c *Core) unplaced(service string) {
	if c.zones != nil {
		delete(c.zones.missing, service)
	}
}

// locate has the Nodes read if a record has named one that is not known.
func (c *Core) locate() {
	z := c.zones
	if z == nil || z.asking || len(z.missing) == 0 || c.now.Before(z.due) {
		return
	}
	z.asking = true
	c.do(Locate{Source: c.current})
}

// located takes what the Nodes say.
func (c *Core) located(e Located) {
	z := c.zones
	if z == nil {
		return
	}
	z.asking = false
	found := 0
	if e.Err != nil {
		c.logf(slog.LevelWarn, "zones of nodes: %v", e.Err)
	} else {
		found = c.learn(e.Zones)
	}
	if found > 0 {
		z.retry = 0
	}
	if len(z.missing) == 0 {
		z.due = c.now.Add(zonesAgain)
		return
	}
	z.retry = min(max(2*z.retry, zonesRetryMin), zonesRetryMax)
	z.due = c.now.Add(z.retry)
}

// learn replaces what is known of nodes, gives the instances that waited for it
// their zones, and returns of how many nodes it has found out.
func (c *Core) learn(byNode map[string]string) (found int) {
	z := c.zones
	clear(z.byNode)
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		if len(z.byNode) == maxNodes {
			c.logf(slog.LevelWarn, "zones of nodes: there are %d, of which %d are looked at", len(byNode), maxNodes)
			break
		}
		z.byNode[node] = z.named([]byte(byNode[node]))
	}
	for _, service := range sortedNames(z.missing) {
		lacking, w := z.missing[service], c.said[service]
		endpoints := slices.Clone(w.Endpoints)
		for i := range endpoints {
			if node, lacks := lacking[endpoints[i].Addr]; lacks {
				if zone, known := z.byNode[node]; known {
					endpoints[i].Zone = zone
				}
			}
		}
		for addr, node := range lacking {
			if _, known := z.byNode[node]; known {
				delete(lacking, addr)
				found++
			}
		}
		if len(lacking) == 0 {
			delete(z.missing, service)
		}
		if _, said := c.said[service]; said && !slices.Equal(endpoints, w.Endpoints) {
			w.Endpoints = endpoints // entries are shared, and never modified
			c.said[service] = w
			c.saver.changed()
			c.touch(service)
		}
	}
	return found
}
