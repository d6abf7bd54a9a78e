package discovery

import (
	"log/slog"
	"slices"
	"time"
)

// Expiry is for arms with a TTL. An endpoint is confirmed when its record is
// read, and by each bookmark and list of the believed source, which say that
// all the others still hold. What is not confirmed in time leaves the table but
// is not forgotten: the next bookmark brings it back.

// vouchedAt is when the table as a whole was last confirmed.
func (c *Core) vouchedAt() time.Time {
	switch c.basis {
	case FromSnapshot:
		return c.savedAt
	case FromPeer:
		return c.heardAt
	case FromSource:
		return c.confirmedAt
	case Pending, FromSeed:
	}
	return c.now // nobody is expected to confirm a seed
}

func (c *Core) expired(w word) bool {
	if c.ttl == 0 {
		return false
	}
	confirmed := c.vouchedAt()
	if w.at.After(confirmed) {
		confirmed = w.at
	}
	if !w.unread.IsZero() && w.unread.Before(confirmed) {
		confirmed = w.unread // bookmarks vouch for the record that was not read
	}
	return c.now.Sub(confirmed) >= c.ttl
}

// expire sees to it that what has expired leaves the table, and what has been
// confirmed comes back. It runs when time has passed and when a source
// confirms, not at every change: it goes through the whole table.
func (c *Core) expire() {
	if c.ttl == 0 {
		return
	}
	var dropped, back []string
	for service, w := range c.said {
		inUse, expired := len(c.table[service].Endpoints) > 0, c.expired(w)
		switch {
		case expired && inUse:
			dropped = append(dropped, service)
		case !expired && !inUse && len(w.Endpoints) > 0:
			back = append(back, service)
		}
	}
	slices.Sort(dropped)
	slices.Sort(back)
	c.touched = append(append(c.touched, dropped...), back...)
	if len(dropped) > 0 {
		c.logf(slog.LevelWarn, "%d names were not confirmed for %v: their endpoints are dropped", len(dropped), c.ttl)
	}
	c.expireStays()
}
