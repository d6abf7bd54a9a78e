package discovery

import (
	"fmt"
	"log/slog"
	"time"
)

// evidenceLasts is how long what the data plane has found at an address counts
// for a record that takes it out: as long as etcd is not left for an API server
// that is back (failOverReturn), so what led there still counts on the way.
const evidenceLasts = 10 * time.Second

// addressKey is an address of a service.
type addressKey struct{ service, addr string }

// accusations is the evidence held against the current source.
type accusations struct {
	// open is the evidence not yet answered by a bookmark, "" when there is
	// none.
	open string
	// seen are the addresses in the table that have led to an accusation.
	seen map[string]bool
	// found is when nobody, or someone else, was last found at addresses in
	// the table.
	found map[addressKey]time.Time
}

// forget drops what is known of addresses that left an entry.
func (a *accusations) forget(old, now Entry) {
	for _, ep := range old.Endpoints {
		if !now.has(ep.Addr) {
			delete(a.seen, ep.Addr)
			delete(a.found, addressKey{old.Service, ep.Addr})
		}
	}
}

// against reports that the data plane has lately found nobody at an address.
func (a *accusations) against(service, addr string, now time.Time) bool {
	at, ok := a.found[addressKey{service, addr}]
	return ok && now.Sub(at) < evidenceLasts
}

// evidence comes from the data plane: what the table says of an address is
// not what was found there.
func (c *Core) evidence(e Evidence) {
	if !c.table[e.Service].has(e.Addr) {
		return // the table knows better already
	}
	if c.heldFound(e) {
		return // the registry has said so too: that is no word against it
	}
	c.accusations.found[addressKey{e.Service, e.Addr}] = c.now
	// An address that the source has been accused of once is held against it
	// again only when its bookmark is late. Otherwise a crashed instance, which
	// the registry notices only when its node's lease ends, would have every
	// router looking for a better source once a second.
	late := c.now.Sub(c.confirmedAt) > c.sessions[c.current].rhythm.overdue()
	if c.judge != nil && (late || !c.accusations.seen[e.Addr]) {
		c.accusations.seen[e.Addr] = true
		c.accusations.open = fmt.Sprintf("%s at %s, where %q should be", e.Kind, e.Addr, e.Service)
	}
	for _, p := range c.config.Policies {
		if w, ok := p.(witness); ok && w.Drops(e) {
			c.logf(slog.LevelWarn, "%s drops %s from %q: %s", p.Name(), e.Addr, e.Service, e.Kind)
			c.dropped[e.Service] = append(c.dropped[e.Service], e.Addr)
			c.saver.changed()
			c.touch(e.Service)
			return
		}
	}
}
