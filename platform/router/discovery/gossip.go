package discovery

import (
	"log/slog"
	"time"
)

// Gossip is for arms that ask other routers. While the believed source is in
// doubt, peers are asked beside the sources of the fail-over, not among them:
// they take no turn, so that etcd is reached as soon as without them, and they
// are never believed as a source. A peer's table is taken in if it is newer by
// the registry's revision, and that is all: the doubt goes on, until a source
// sends a bookmark that is not behind it.
//
//	in doubt --a peer's table is newer--> that table, in doubt still
//
// A table cannot go round: a router serves none that it has from a peer, from
// disk or from a seed, only what a source has told it itself (Core.Told). And
// none goes backwards: every exchange needs a higher revision, which only the
// registry can make.

const (
	// gossipEvery is the time from one question to a peer to the next: as long
	// as a request waits for a better table.
	gossipEvery = 500 * time.Millisecond
	// gossipAtOnce is how many peers are asked at the same time, and
	// gossipTurn how long, before the next take their place: a hundred routers
	// that doubt together ask each other 600 times a second in all, each
	// question a revision and each answer mostly "no".
	gossipAtOnce = 3
	gossipTurn   = time.Second
)

// shuffledPeers draws the order in which peers are asked.
func (c *Core) shuffledPeers() []int {
	if !c.gossips {
		return nil
	}
	var peers []int
	for i, source := range c.config.Sources {
		if source.Peer {
			peers = append(peers, i)
		}
	}
	if len(peers) > gossipAtOnce {
		c.config.Rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	}
	return peers
}

// wantsPeer says whether a peer should be asked now.
func (c *Core) wantsPeer(i int) bool {
	order := c.doubt.peers
	turn := int(c.now.Sub(c.doubt.since) / gossipTurn)
	for k := range min(gossipAtOnce, len(order)) {
		if order[(turn*gossipAtOnce+k)%len(order)] == i {
			return true
		}
	}
	return false
}

// peerListed takes a peer's table if it is newer.
func (c *Core) peerListed(i int, e Listed, parsed parsedList) {
	if c.inDoubt() && e.Revision > c.revision {
		if e.HeardAt.IsZero() {
			e.HeardAt = c.now
		}
		c.peer, c.basis, c.revision, c.heardAt = i, FromPeer, e.Revision, e.HeardAt
		c.logf(slog.LevelInfo, "%s has a newer table: revision %d, heard %v ago", c.config.Sources[i].Name, e.Revision, c.now.Sub(e.HeardAt).Round(time.Millisecond))
		c.applyList(parsed, time.Time{})
	}
	c.openWatch(i, e.Revision, 0)
}

// peerConfirms takes a peer's word that its source has nothing newer. It tells
// how old the table is, and ends no doubt.
func (c *Core) peerConfirms(e Bookmark) {
	if c.basis == FromPeer && e.Revision == c.revision && e.HeardAt.After(c.heardAt) {
		c.heardAt = e.HeardAt
	}
}

// Told is a table as this router's own source told it, for routers that ask.
type Told struct {
	// Revision is 0 when no source stands behind the table.
	Revision int64
	// HeardAt is when the source last spoke.
	HeardAt time.Time
	// Entries are left out when Revision is not above what was asked for.
	Entries []Entry
}

// Told returns the table as the source told it, if it is newer than after: what
// the registry said, and not what policies made of it.
func (c *Core) Told(after int64) Told {
	if c.basis != FromSource {
		return Told{}
	}
	t := Told{Revision: c.revision, HeardAt: c.heardAt}
	if t.Revision > after {
		t.Entries = make([]Entry, 0, len(c.said))
		for _, service := range sortedNames(c.said) {
			t.Entries = append(t.Entries, c.said[service].Entry)
		}
	}
	return t
}
