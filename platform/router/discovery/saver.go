package discovery

import (
	"maps"
	"slices"
	"time"
)

// saverRefresh is how often an unchanged table is written again, so that the
// snapshot's revision stays near enough for a watch to resume from; and a table
// that keeps changing is written that often at least.
const saverRefresh = 10 * time.Second

// saver decides when the table is written to disk. A change after a quiet time
// is written at once. While changes go on, the time from one write to the next
// doubles from every to saverRefresh: the whole table is written each time, and
// the disk is a second best to which the newest second matters little.
type saver struct {
	every   time.Duration // 0: never
	wait    time.Duration // from the last write to the next
	dirty   bool
	dirtyAt time.Time // the first change since the last write; zero: not noted yet
	savedAt time.Time
}

func (s *saver) changed() { s.dirty = true }

func (s *saver) confirmed(now time.Time) {
	if now.Sub(s.savedAt) >= saverRefresh {
		s.dirty = true
	}
}

// saveIfDue writes the table when it has changed; never one that no source
// has confirmed, which would pass an old snapshot off as a new one. It is called
// at ticks only: it goes over the whole table, and a change is not to wait for
// that, least of all in all routers at once.
func (c *Core) saveIfDue() {
	s := &c.saver
	if s.every == 0 || !s.dirty || c.basis != FromSource {
		return
	}
	if s.dirtyAt.IsZero() {
		s.dirtyAt = c.now
	}
	if c.now.Sub(s.savedAt) < s.wait {
		return
	}
	if s.dirtyAt.Sub(s.savedAt) >= s.wait {
		s.wait = s.every
	} else {
		s.wait = min(2*s.wait, saverRefresh)
	}
	s.dirty, s.dirtyAt, s.savedAt = false, time.Time{}, c.now
	entries := make([]Entry, 0, len(c.said))
	for _, name := range slices.Sorted(maps.Keys(c.said)) {
		entry := c.said[name].Entry
		for _, addr := range c.dropped[name] {
			entry = entry.without(addr)
		}
		entries = append(entries, entry)
	}
	c.do(SaveSnapshot{Entries: entries, Kept: c.kept(), Revision: c.revision, SavedAt: c.now})
}
