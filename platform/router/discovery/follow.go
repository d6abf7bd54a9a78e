package discovery

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Following one source is the algorithm that every arm shares: list, publish,
// watch from the list's revision; when the watch breaks, watch again from
// where it was; when that revision is gone, list again. Failures are retried
// for ever with backoff, at the next API server each time, as a client behind
// one virtual address would.

// phase is what a session is doing.
type phase int

const (
	idle phase = iota
	listing
	watching
	// frozen: the watch has ended and is not opened again; session.why says
	// of what.
	frozen
)

// session is the conversation with one source.
type session struct {
	id      SessionID
	phase   phase
	backoff backoff

	why string // it is frozen

	// position: everything up to here has been reported to us.
	position int64
	// missed: something was reported that the table has not, because the
	// source was not believed when it came.
	missed bool

	// gone paces the lists that follow each other because every watch from a
	// list's revision came too late.
	gone backoff
	// heardAt is when it last said anything, or began.
	heardAt time.Time

	// bookmarkAt is when the last bookmark came, steadySince when the first of
	// an unbroken series did.
	bookmarkAt, steadySince time.Time

	// rhythm is the source's, not the session's.
	rhythm rhythm
}

func (c *Core) openList(source int, after time.Duration) {
	c.end(source)
	s := &c.sessions[source]
	s.id, s.phase, s.missed = c.newID(), listing, false
	s.heardAt = c.now
	if !c.config.Sources[source].Peer {
		after = c.relists.delay(c.now, after)
	}
	c.do(List{Session: s.id, Source: source, After: after})
}

func (c *Core) openWatch(source int, revision int64, after time.Duration) {
	c.end(source)
	s := &c.sessions[source]
	s.id, s.phase, s.position = c.newID(), watching, revision
	s.heardAt = c.now.Add(after)
	c.do(Watch{Session: s.id, Source: source, Revision: revision, After: after})
}

// heard notes that a watch has said something.
func (s *session) heard(now time.Time) {
	s.heardAt = now
	s.backoff.reset()
	s.gone.reset()
}

// relistAfter is how long to wait with the list that follows a watch whose
// revision is gone. It is gone for every router at once, when an API server
// has been restarted: so even the first list is not sent at once, and if the
// watch after it comes too late again, the next backs off.
func (s *session) relistAfter(rng *rand.Rand) time.Duration {
	if s.gone.step == 0 {
		s.gone.step = relistJitter
		return time.Duration(rng.Int64N(int64(relistJitter) + 1))
	}
	return s.gone.next(rng)
}

// resume opens whatever brings a source up to date soonest.
func (c *Core) resume(source int, after time.Duration) {
	if c.revision > 0 {
		// From the table's own revision: whatever was missed will be told again.
		c.sessions[source].missed = false
		c.openWatch(source, c.revision, after)
	} else {
		c.openList(source, after)
	}
}

// end forgets a session that has ended by itself or is being replaced.
func (c *Core) end(source int) {
	s := &c.sessions[source]
	s.id, s.phase = 0, idle
	s.bookmarkAt, s.steadySince = time.Time{}, time.Time{}
	s.rhythm.pause()
}

// stop ends a session that is under way.
func (c *Core) stop(source int) {
	s := &c.sessions[source]
	if s.id != 0 {
		c.do(Stop{Session: s.id})
	}
	c.end(source)
	s.missed = false
	s.backoff.reset()
}

func (c *Core) newID() SessionID {
	c.lastSession++
	return c.lastSession
}

// source finds whose session an event belongs to; false if it has ended.
func (c *Core) source(id SessionID) (int, bool) {
	for i := range c.sessions {
		if c.sessions[i].id == id && id != 0 {
			return i, true
		}
	}
	return 0, false
}

func (c *Core) listed(e Listed) {
	i, ok := c.source(e.Session)
	if !ok {
		return
	}
	s := &c.sessions[i]
	parsed, err := c.parseList(e.Items)
	if err != nil {
		// Poison: the source is well, its answer is not. There is nowhere
		// better to go; ask again, for ever.
		c.logf(slog.LevelError, "%v", err)
		if i == c.current {
			c.poisoned = !c.synced
			c.sourceFailed()
		}
		c.openList(i, c.pause(i))
		return
	}
	s.backoff.reset()
	if c.config.Sources[i].Peer {
		c.peerListed(i, e, parsed)
		return
	}
	if i == c.current && c.behind(i, e.Revision) {
		c.logf(slog.LevelWarn, "%s answers from revision %d, the table is at %d: not believed", c.config.Sources[i].Name, e.Revision, c.revision)
		c.retryElsewhere(i)
		return
	}
	if i != c.current && c.listCounts(i, e.Revision) {
		c.adopt(i, "its list is newer")
	}
	if i == c.current {
		c.applyList(parsed, c.now)
		c.confirm(e.Revision)
	} else if e.Revision > c.revision {
		s.missed = true
	}
	c.openWatch(i, e.Revision, 0)
}

func (c *Core) listFailed(e ListFailed) {
	i, ok := c.source(e.Session)
	if !ok {
		return
	}
	c.logf(slog.LevelWarn, "list %s: %v", c.config.Sources[i].Name, e.Err)
	if i == c.current {
		c.sourceFailed()
	}
	c.retryElsewhere(i)
}

func (c *Core) changed(e Changed) {
	i, ok := c.source(e.Session)
	if !ok {
		return
	}
	s := &c.sessions[i]
	s.heard(c.now)
	s.position = max(s.position, e.Revision)
	if e.Revision <= c.revision || c.config.Sources[i].Peer {
		return // a peer tells in lists only
	}
	if i != c.current && c.inDoubt() {
		c.adopt(i, "it is newer")
	}
	if i != c.current {
		s.missed = true
		return
	}
	c.heardAt, c.revision = c.now, e.Revision
	if e.Deleted {
		c.admitRemoval(c.config.Parser.serviceOf(e.Item))
		return
	}
	entry, err := c.parse(e.Item)
	if err == nil {
		c.admit(entry, c.now)
		return
	}
	if c.config.WatchNull == FreezeOnNull && errors.Is(err, ErrNullSubsets) {
		c.stop(i)
		s.phase, s.why = frozen, "silently on a null record"
		return
	}
	// Watch events are decoded one by one: this one is lost, the next is not.
	name := c.config.Parser.serviceOf(e.Item)
	c.logf(slog.LevelError, "endpoints watch: parse failure: %v (service %q)", err, name)
	c.unreadable(name)
}

func (c *Core) bookmarked(e Bookmark) {
	i, ok := c.source(e.Session)
	if !ok {
		return
	}
	s := &c.sessions[i]
	s.heard(c.now)
	s.position = max(s.position, e.Revision)
	if s.steadySince.IsZero() || c.now.Sub(s.bookmarkAt) >= s.rhythm.silence() {
		s.steadySince = c.now
	}
	s.bookmarkAt = c.now
	s.rhythm.beat(c.now)
	if c.config.Sources[i].Peer {
		c.peerConfirms(e)
		return
	}
	if i == c.current {
		c.heardAt = c.now
	}
	if c.behind(i, e.Revision) {
		return
	}
	if i != c.current && c.inDoubt() {
		c.adopt(i, "it sends bookmarks")
	}
	if i == c.current && c.sessions[i].phase == watching {
		c.confirm(max(c.revision, e.Revision))
	}
}

func (c *Core) watchBroken(e WatchBroken) {
	i, ok := c.source(e.Session)
	if !ok {
		return
	}
	if d, ok := hook[ender](c.config.Policies); ok && d.EndsOnWatchError() && !c.config.Sources[i].Peer {
		c.logf(slog.LevelWarn, "watch %s: %v: nothing more will be heard of it", c.config.Sources[i].Name, e.Err)
		c.end(i)
		c.sessions[i].phase, c.sessions[i].why = frozen, fmt.Sprintf("for good: %v", e.Err)
		return
	}
	if e.Gone {
		c.logf(slog.LevelInfo, "watch %s: revision %d is gone, listing again", c.config.Sources[i].Name, c.sessions[i].position)
		c.openList(i, c.sessions[i].relistAfter(c.config.Rand))
		return
	}
	c.logf(slog.LevelInfo, "watch %s: %v", c.config.Sources[i].Name, e.Err)
	c.retryElsewhere(i)
}

// retryElsewhere goes on after a failure, with backoff: what is believed from
// an API server is asked of the next one, everything else where it was. A
// list that failed is followed by a list, a watch by a watch.
func (c *Core) retryElsewhere(failed int) {
	wasListing := c.sessions[failed].phase == listing
	after := c.pause(failed)
	next := failed
	if failed == c.current {
		next = c.nextAPIServer(failed)
	}
	if next != failed {
		c.end(failed)
		c.current = next
		c.sessions[next].backoff = c.sessions[failed].backoff
		if c.judge != nil && c.wants(failed) {
			c.resume(failed, after) // as one of the others, but not at once
		}
		if phase := c.sessions[next].phase; phase != idle {
			return // it is a candidate already, or frozen for good
		}
	}
	if wasListing {
		c.openList(next, after)
	} else {
		c.resume(next, after)
	}
}

// pause is how long to wait before a source that failed is asked again.
func (c *Core) pause(i int) time.Duration {
	after := c.sessions[i].backoff.next(c.config.Rand)
	if c.config.Sources[i].Peer {
		after = max(after, gossipEvery)
	}
	return after
}

func (c *Core) nextAPIServer(i int) int {
	if !c.config.Sources[i].isAPIServer() {
		return i
	}
	next := (i + 1) % len(c.config.Sources)
	for !c.config.Sources[next].isAPIServer() {
		next = (next + 1) % len(c.config.Sources)
	}
	return next
}
