package registry

import (
	"context"
	"strings"
)

// MaxMembers is the largest cluster there is: three members in each of three
// zones, whose quorum of five survives the loss of a zone and one more.
const MaxMembers = 9

// MemberPlaces are the members in the order in which they join: first one in
// each zone, then the second ones, then the third ones.
var MemberPlaces = [MaxMembers]struct{ Name, Zone string }{
	{"etcd-a1", "a"},
	{"etcd-b1", "b"},
	{"etcd-c1", "c"},
	{"etcd-a2", "a"},
	{"etcd-b2", "b"},
	{"etcd-c2", "c"},
	{"etcd-a3", "a"},
	{"etcd-b3", "b"},
	{"etcd-c3", "c"},
}

// Seat is a member's place in a cluster. It never changes.
type Seat struct {
	Name string
	Zone string
	// ClientAddr and PeerAddr are where clients and other members reach it
	// (host:port).
	ClientAddr, PeerAddr string
}

func (s Seat) peerURL() string { return "http://" + s.PeerAddr }

// InitialCluster lists seats as etcd's setting of that name does.
func InitialCluster(seats ...Seat) string {
	list := make([]string, 0, len(seats))
	for _, s := range seats {
		list = append(list, s.Name+"="+s.peerURL())
	}
	return strings.Join(list, ",")
}

// How a member starts that has no data yet. One that has data starts on it,
// whatever is asked, unless it is told to join.
const (
	// StateNew begins a cluster together with the others.
	StateNew = "new"
	// StateExisting enters a cluster that has been told of the member.
	StateExisting = "existing"
	// StateJoin is StateExisting for a newcomer: what lies in its directory
	// belonged to an attempt that failed, and is removed first.
	StateJoin = "join"
)

// Host runs one member, in this process or in another. Its methods are safe for
// concurrent use.
type Host interface {
	Seat() Seat
	// Start runs the member; it returns before that has joined or serves. One
	// that runs is left alone, unless the state is StateJoin. initialCluster
	// is as InitialCluster gives it.
	Start(ctx context.Context, initialCluster, state string) error
	// Stop ends the member at once, as a crash would; its data stays. Stopping
	// a stopped one changes nothing.
	Stop(ctx context.Context) error
	// Running says at once whether it runs, as far as is known.
	Running() bool
}
