package discovery

import (
	"fmt"
	"log/slog"
	"time"
)

// accuseAgain is how long a source must be without a bookmark before an
// address that it has been accused of once can be held against it again: one
// that was due, and half of the next. Otherwise a crashed instance, which the
// registry notices only when its node's lease ends, would have every router
// looking for a better source once a second.
const accuseAgain = 1500 * time.Millisecond

// accusations is the evidence held against the current source.
type accusations struct {
	// open is the evidence not yet answered by a bookmark, "" when there is
	// none.
	open string
	// seen are the addresses in the table that have led to an accusation.
	seen map[string]bool
}

// forget drops what is known of addresses that left an entry.
func (a *accusations) forget(old, now Entry) {
	for _, ep := range old.Endpoints {
		if !now.has(ep.Addr) {
			delete(a.seen, ep.Addr)
		}
	}
}

// evidence comes from the data plane: what the table says of an address is
// not what was found there.
func (c *Core) evidence(e Evidence) {
	entry := c.table[e.Service]
	if !entry.has(e.Addr) {
		return // the table knows better already
	}
	if c.judge != nil && (!c.accusations.seen[e.Addr] || c.now.Sub(c.confirmedAt) > accuseAgain) {
		c.accusations.seen[e.Addr] = true
		c.accusations.open = fmt.Sprintf("%s at %s, where %q should be", e.Kind, e.Addr, e.Service)
	}
	for _, p := range c.config.Policies {
		w, ok := p.(witness)
		if !ok {
			continue
		}
		if better, changed := w.Testify(e, entry); changed {
			c.logf(slog.LevelWarn, "%s drops %s from %q: %s", p.Name(), e.Addr, e.Service, e.Kind)
			c.put(better)
		}
	}
}
