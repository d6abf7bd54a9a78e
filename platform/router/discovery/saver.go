package discovery

import (
	"maps"
	"slices"
	"time"
)

// saverRefresh is how often an unchanged table is written again, so that the
// snapshot's revision stays near enough for a watch to resume from.
const saverRefresh = 10 * time.Second

// saver decides when the table is written to disk.
type saver struct {
	every   time.Duration // 0: never
	dirty   bool
	savedAt time.Time
}

func (s *saver) changed() { s.dirty = true }

func (s *saver) confirmed(now time.Time) {
	if now.Sub(s.savedAt) >= saverRefresh {
		s.dirty = true
	}
}

// saveIfDue writes the table when it has changed; never one that no source
// has confirmed, which would pass an old snapshot off as a new one.
func (c *Core) saveIfDue() {
	s := &c.saver
	if s.every == 0 || !s.dirty || c.basis != FromSource || c.now.Sub(s.savedAt) < s.every {
		return
	}
	s.dirty, s.savedAt = false, c.now
	entries := make([]Entry, 0, len(c.table))
	for _, name := range slices.Sorted(maps.Keys(c.table)) {
		entries = append(entries, c.table[name])
	}
	c.do(SaveSnapshot{Entries: entries, Revision: c.revision, SavedAt: c.now})
}
