package discovery

import (
	"log/slog"
	"time"
)

// Fail-over is for arms whose policies judge the source. While the one that
// is believed is in doubt, the others are watched from the table's revision,
// one more every failOverApart: first the other API servers, then etcd.
//
//	believed source  --silent or accused-->  in doubt
//	in doubt         --its bookmark------->  believed again
//	in doubt         --another is newer--->  that one is believed, in doubt still
//	in doubt         --another's bookmark->  that one is believed
//	etcd believed    --10 s of bookmarks from an API server-->  that one is
//	a watch not trusted --10 s of silence-->  is opened anew
//
// A source that sends bookmarks more rarely than each second has as much more
// time (rhythm.go).
//
// A watch that merely opens proves nothing: an API server whose own
// connection is dark serves its stale cache with a straight face. So a source
// counts only if it is newer than the table or sends bookmarks, and one that
// is only newer may still be dark behind what it had.

const (
	// failOverApart is the time between trying one source and the next.
	failOverApart = 300 * time.Millisecond
	// failOverReturn is how long an API server must send bookmarks before
	// etcd is left for it.
	failOverReturn = 10 * time.Second
	// redialAfter is how long a watch of a source that is not trusted may be
	// silent before it is opened anew: the connection itself may be dead, on
	// the router's own edge, and a source that is well again would never be
	// heard on it. A slow source has longer (rhythm.redial).
	redialAfter = 10 * time.Second
)

// doubt is the state of not trusting the current source.
type doubt struct {
	reason string // "" when there is none
	since  time.Time
	order  []int // sources to try, the first at once
	peers  []int // routers to ask beside them (gossip.go)
}

func (c *Core) inDoubt() bool { return c.doubt.reason != "" }

// failOver runs at the end of each step: it asks the judge and sees to it
// that exactly the wanted sessions are open.
func (c *Core) failOver() {
	if c.judge == nil {
		return
	}
	c.askJudge()
	c.returnToAPIServer()
	for i := range c.config.Sources {
		if i == c.current {
			continue
		}
		switch phase := c.sessions[i].phase; {
		case c.wants(i) && phase == idle:
			c.resume(i, 0)
		case !c.wants(i) && phase != idle && phase != frozen:
			c.stop(i)
		}
	}
	c.redialSilent()
}

// redialSilent opens watches anew that have said nothing for too long: the
// believed source's while it is in doubt, and those of sources not believed. A
// list needs no such care, it has a time limit.
func (c *Core) redialSilent() {
	for i := range c.sessions {
		s := &c.sessions[i]
		trusted := i == c.current && !c.inDoubt()
		if trusted || s.phase != watching || c.now.Sub(s.heardAt) < s.rhythm.redial() {
			continue
		}
		c.logf(slog.LevelInfo, "watch %s: silent for %v, dialling again", c.config.Sources[i].Name, s.rhythm.redial())
		c.do(Stop{Session: s.id})
		c.resume(i, s.backoff.next(c.config.Rand))
	}
}

func (c *Core) askJudge() {
	reason := c.judge.Doubt(c.now, Standing{
		Synced: c.synced, ConfirmedAt: c.confirmedAt, Accused: c.accusations.open,
		Silence: c.sessions[c.current].rhythm.silence(),
	})
	name := c.config.Sources[c.current].Name
	switch {
	case reason != "" && !c.inDoubt():
		c.doubt = doubt{reason: reason, since: c.now, order: c.others(), peers: c.shuffledPeers()}
		// Bookmarks from before the doubt say nothing about after it.
		s := &c.sessions[c.current]
		s.bookmarkAt, s.steadySince = time.Time{}, time.Time{}
		c.logf(slog.LevelWarn, "%s is in doubt: %s", name, reason)
		c.dialDirect()
	case reason == "" && c.inDoubt():
		c.doubt = doubt{}
		c.logf(slog.LevelInfo, "%s is believed", name)
		c.hangUpDirect()
	}
}

// dialDirect has etcd dialled as soon as there is a doubt. Its turn comes last,
// and requests that wait for a better table should not wait for a connection
// on top; nothing is read over it before its turn.
func (c *Core) dialDirect() {
	for i, source := range c.config.Sources {
		if source.Direct && i != c.current && c.sessions[i].phase == idle {
			c.do(Dial{Source: i})
		}
	}
}

// hangUpDirect ends what dialDirect began, where its turn never came.
func (c *Core) hangUpDirect() {
	for i, source := range c.config.Sources {
		if source.Direct && c.sessions[i].phase == idle {
			c.do(HangUp{Source: i})
		}
	}
}

// others lists the sources but the current one: API servers from the next one
// on, then etcd.
func (c *Core) others() []int {
	var servers, direct []int
	for k := 1; k < len(c.config.Sources); k++ {
		i := (c.current + k) % len(c.config.Sources)
		switch source := c.config.Sources[i]; {
		case source.Direct:
			direct = append(direct, i)
		case source.isAPIServer():
			servers = append(servers, i)
		}
	}
	return append(servers, direct...)
}

// wants says whether a source other than the current one should be followed
// now.
func (c *Core) wants(i int) bool {
	if c.config.Sources[i].Peer {
		return c.wantsPeer(i)
	}
	if !c.inDoubt() {
		return c.config.Sources[c.current].Direct && !c.config.Sources[i].Direct
	}
	for rank, other := range c.doubt.order {
		if other == i {
			return c.now.Sub(c.doubt.since) >= time.Duration(rank)*failOverApart
		}
	}
	return true // it was the current one when the doubt began
}

// adopt makes a source the one that is believed.
func (c *Core) adopt(i int, why string) {
	c.logf(slog.LevelInfo, "now following %s: %s", c.config.Sources[i].Name, why)
	c.current = i
	c.heardAt = c.now
	if s := &c.sessions[i]; s.missed && s.position > c.revision && s.phase == watching {
		// It told us something before it was believed, and will not again.
		c.do(Stop{Session: s.id})
		c.openList(i, 0)
	}
}

// returnToAPIServer leaves etcd for an API server that is back.
func (c *Core) returnToAPIServer() {
	if c.inDoubt() || !c.config.Sources[c.current].Direct {
		return
	}
	for i := range c.config.Sources {
		s := c.sessions[i]
		if !c.config.Sources[i].isAPIServer() || s.steadySince.IsZero() {
			continue
		}
		if c.now.Sub(s.bookmarkAt) < s.rhythm.silence() && s.bookmarkAt.Sub(s.steadySince) >= failOverReturn {
			c.adopt(i, "it has sent bookmarks for "+failOverReturn.String())
			return
		}
	}
}

// behind reports that a source is older than the table. Only an arm with a
// judge can tell, others believe the last to speak. A list of an API server
// is read from the registry itself, so it outranks a table that comes from
// disk, even one with a higher revision.
func (c *Core) behind(i int, revision int64) bool {
	if c.judge == nil || (!c.synced && c.config.Sources[i].isAPIServer() && c.sessions[i].phase == listing) {
		return false
	}
	return revision < c.revision
}

// listCounts says whether a list makes a source the believed one.
func (c *Core) listCounts(i int, revision int64) bool {
	if !c.inDoubt() || c.behind(i, revision) {
		return false
	}
	return !c.synced || revision > c.revision
}
