package discovery

import (
	"fmt"
	"time"
)

// Policy is a small value that says what to do when discovery misbehaves. It
// takes part by implementing any of the hooks below; the core asks the
// policies in the order in which the arm names them.
type Policy interface {
	Name() string
	About() string
}

// Policies is every policy there is. Adding one touches its own file and one
// line here.
var Policies = []Policy{
	acceptAll{},
	dieSilent{},
	keepLast{},
	refuseEmpty{},
	ttlClosed{shortTTL},
	ttlClosed{longTTL},
	advisoryRemoval{},
	activeVeto{},
	shrinkGuard{},
	snapshotPolicy{},
	seed{},
	configSnapshot{},
	quarantine{},
	heartbeat{},
	gossip{},
	identity{},
	makeBeforeBreak{},
}

// The hooks.
type (
	// admitter sees every change before it is published and may veto it,
	// with a reason. An entry that is not in the table has no endpoints.
	admitter interface {
		Veto(old, changed Entry) (reason string)
	}

	// keeper may keep addresses in use that a change would take out. The first
	// policy with a reason decides; Terms says when they go after all.
	keeper interface {
		Policy
		Keep(c Change) (reason string)
		Terms() Terms
	}

	// expirer says how long endpoints stay that nobody confirms.
	expirer interface {
		TTL() time.Duration
	}

	// ender says whether a watch that ends is the end.
	ender interface {
		EndsOnWatchError() bool
	}

	// errorBeliever says what a list that failed means for the table: true
	// keeps it. The first policy that has a say decides; if none has, it is
	// kept.
	errorBeliever interface {
		KeepsTableOnError() bool
	}

	// asider says whether a record that cannot be parsed is set aside. Its
	// last good value then stays and everything else goes on.
	asider interface {
		SetsAside() bool
	}

	// judge says why the source is not to be trusted now, "" if it is. An arm
	// with a judge fails over (failover.go).
	judge interface {
		Doubt(now time.Time, s Standing) (reason string)
	}

	// gossiper says whether other routers are asked while the source is in
	// doubt.
	gossiper interface {
		AsksPeers() bool
	}

	// witness says whether evidence takes its address out of the table, until
	// the registry has something new to say of the service.
	witness interface {
		Drops(e Evidence) bool
	}

	// seeder says whether the table begins as Config.Seed.
	seeder interface {
		StartsFromSeed() bool
	}

	// snapshotter keeps the table on disk and starts from it; the table is
	// written at most once in the time returned.
	snapshotter interface {
		SnapshotEvery() time.Duration
	}
)

// Standing is what a judge is told of the source believed now.
type Standing struct {
	// Synced: some source was believed since the start.
	Synced bool
	// ConfirmedAt is when the table was last known to be complete: the last
	// bookmark or list, or the start.
	ConfirmedAt time.Time
	// Silence is how long the source may go without a bookmark, by its own
	// rhythm.
	Silence time.Duration
	// Accused is the evidence against the source that it has not answered
	// with a bookmark, "" when there is none.
	Accused string
}

// Change is what a record would do to a service.
type Change struct {
	// Old is what is in use, New what the registry names.
	Old, New Entry
	// Gone are the addresses of Old that New has not, less those that the data
	// plane has found nobody at lately.
	Gone []Endpoint
	// Usual is how many endpoints the service had at most of late.
	Usual int
}

// Terms say what ends the stay of addresses that were kept. In any case a
// record does that names them again, or takes out so little that no policy
// keeps it; and the data plane, when it finds someone else there.
type Terms struct {
	// Probed: they are asked whether they are there, and go when they do not
	// answer. Otherwise they go when the data plane cannot reach them.
	Probed bool
	// EndsWhenReplaced: they go when as many others as half of Usual answer.
	EndsWhenReplaced bool
}

// PolicyNames lists the policies in table order.
func PolicyNames() []string {
	names := make([]string, len(Policies))
	for i, p := range Policies {
		names[i] = p.Name()
	}
	return names
}

// PoliciesByName finds the named policies and keeps their order.
func PoliciesByName(names []string) ([]Policy, error) {
	found := make([]Policy, 0, len(names))
next:
	for _, name := range names {
		for _, p := range Policies {
			if p.Name() == name {
				found = append(found, p)
				continue next
			}
		}
		return nil, fmt.Errorf("policy %q is not one of %v", name, PolicyNames())
	}
	return found, nil
}

// hook returns the first of the policies that implements H.
func hook[H any](policies []Policy) (H, bool) {
	for _, p := range policies {
		if h, ok := p.(H); ok {
			return h, true
		}
	}
	var none H
	return none, false
}
