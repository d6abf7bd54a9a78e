package discovery

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// settledWithin is how long a router may take to believe the truth once all its
// sources are well again: lists that wait for an answer that does not come any
// more (listTimeout) and the longest pauses after failures (backoffMax) on top
// of each other.
const settledWithin = listTimeout + 2*backoffMax

// TestConvergence: whatever has been said and whatever has happened, once all
// sources are well, lists are read anew and evidence is honest, every set of
// policies comes to believe the truth. There are two exceptions, by design:
// die-silent, which hears nothing any more, and refuse-empty, to which a truth
// without endpoints is none.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var policies []Policy
		var refuses bool
		for _, p := range Policies {
			if p.Name() != "die-silent" && rapid.Bool().Draw(t, p.Name()) {
				policies = append(policies, p)
				refuses = refuses || p.Name() == "refuse-empty"
			}
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		l := newLab(rapid.SampledFrom(Parsers).Draw(t, "parser"), policies, rng.Uint64())
		l.config.Seed = Addresses{"s0": {"seed:1"}, "s9": {"seed:2"}}
		l.answerIn = func() time.Duration { return time.Duration(rng.Int64N(int64(300 * time.Millisecond))) }
		l.lagging = l.registry.clone()
		l.start()
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			l.disturb(rng)
			l.run(time.Duration(rng.IntN(3000)) * time.Millisecond)
		}
		l.answerIn = nil
		truth := l.heal(rng, !refuses)
		l.run(settledWithin)
		if !maps.EqualFunc(l.table, truth, slices.Equal[[]string]) {
			t.Fatalf("it believes %v\nthe truth is %v\nstate %+v", l.table, truth, l.core.State())
		}
	})
}

// disturb lets something happen to somebody.
func (l *lab) disturb(rng *rand.Rand) {
	service := fmt.Sprintf("s%d", rng.IntN(4))
	var addrs []string
	for i := range 3 {
		if addr := fmt.Sprintf("%s:%d", service, 1+i+3*rng.IntN(2)); rng.IntN(3) > 0 {
			addrs = append(addrs, addr)
		}
	}
	switch rng.IntN(12) {
	case 0, 1, 2:
		l.registry.set(service, addrs...)
	case 3:
		l.registry.delete(service)
	case 4:
		l.registry.setRaw(service, "null")
	case 5:
		l.registry.setRaw(service, `"?"`)
	case 6:
		for _, addr := range addrs {
			l.alive[addr] = !l.alive[addr]
		}
	case 7:
		l.lagging = l.registry.clone()
		l.set(labMode(rng.IntN(4)), rng.IntN(len(labSources)))
	case 8:
		l.set(labMode(rng.IntN(4)))
	case 9:
		l.breakWatches(rng.IntN(2) == 0)
	case 10:
		l.start()
	default: // a lie
		for _, addr := range l.table[service] {
			l.step(Evidence{Kind: EvidenceKind(rng.IntN(2)), Service: service, Addr: addr})
		}
	}
}

// heal makes everything well, and returns the truth.
func (l *lab) heal(rng *rand.Rand, zeros bool) map[string][]string {
	truth := map[string][]string{}
	clear(l.alive)
	for i := range 4 {
		service := fmt.Sprintf("s%d", i)
		addrs := []string{}
		for k := range 3 {
			addrs = append(addrs, fmt.Sprintf("%s:%d", service, 10+k))
		}
		if zeros {
			addrs = addrs[:rng.IntN(4)]
		}
		if zeros && rng.IntN(4) == 0 {
			l.registry.delete(service)
			continue
		}
		for _, addr := range addrs {
			l.alive[addr] = true
		}
		truth[service] = addrs
		l.registry.set(service, addrs...)
	}
	if !zeros {
		// The seed named one that is in no registry, and may still be believed.
		l.registry.set("s9", "s9:1")
		l.alive["s9:1"] = true
		truth["s9"] = []string{"s9:1"}
	}
	l.breakWatches(true)
	l.set(well)
	return truth
}

// TestNoHarm: through benign deploys, scale-downs and true zeros, an arm with
// all the guards has, at every moment, every live address that the registry
// names, as keep-last has; and what the registry takes out leaves it within
// honouredWithin at p99, though instances go on answering while they drain and
// probes are now and then late.
func TestNoHarm(t *testing.T) {
	const (
		deploys        = 300
		honouredWithin = time.Second
		drain          = 200 * time.Millisecond // incident.md: after NOT_SERVING
	)
	policies, err := PoliciesByName(splitCompany("guarded"))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	l := newLab(linkerd2018, policies, 3)
	l.answerIn = func() time.Duration {
		if rng.IntN(50) == 0 {
			return probeTimeout // the machine stood still
		}
		return time.Duration(rng.Int64N(int64(20 * time.Millisecond)))
	}
	var next int
	fresh := func() string {
		next++
		addr := fmt.Sprintf("h:%d", next)
		l.alive[addr] = true
		return addr
	}
	registered := []string{fresh(), fresh(), fresh()}
	removed := map[string]time.Time{} // not yet gone from the table
	var took []time.Duration
	l.registry.set("ledger", registered...)
	l.start()
	l.run(time.Second)

	// change writes a record, lets what it takes out drain and stop, and time
	// pass, all the while watching the table.
	change := func(addrs []string, wait time.Duration) {
		stops := map[string]time.Time{}
		for _, addr := range registered {
			if !slices.Contains(addrs, addr) {
				stops[addr], removed[addr] = l.now.Add(drain), l.now
			}
		}
		registered = addrs
		l.registry.set("ledger", addrs...)
		for end := l.now.Add(wait); l.now.Before(end); {
			l.run(TickEvery)
			for addr, at := range stops {
				if !l.now.Before(at) {
					delete(l.alive, addr)
				}
			}
			table := l.table["ledger"]
			for _, addr := range registered {
				if !slices.Contains(table, addr) {
					t.Fatalf("%s is registered and well, and not in the table: %v", addr, table)
				}
			}
			for addr, at := range removed {
				if !slices.Contains(table, addr) {
					took = append(took, l.now.Sub(at))
					delete(removed, addr)
				}
			}
		}
	}
	for range deploys {
		switch rng.IntN(5) {
		case 0, 1: // rolling update, surge 1, unavailable 0
			for _, addr := range slices.Clone(registered) {
				added := append(slices.Clone(registered), fresh())
				change(added, 300*time.Millisecond)
				change(slices.DeleteFunc(slices.Clone(added), func(a string) bool { return a == addr }), 100*time.Millisecond)
			}
		case 2: // all at once
			change([]string{fresh(), fresh(), fresh()}, time.Second)
		case 3: // scaled down, and up again
			change(registered[:min(1, len(registered))], time.Second)
			change(append(slices.Clone(registered), fresh(), fresh()), time.Second)
		default: // to zero, and up again
			change(nil, time.Second)
			change([]string{fresh(), fresh(), fresh()}, time.Second)
		}
		l.run(time.Second)
	}
	slices.Sort(took)
	if len(took) < deploys {
		t.Fatalf("%d removals are too few to say anything", len(took))
	}
	if p99 := took[len(took)*99/100]; p99 > honouredWithin {
		t.Errorf("a removal is honoured after %v at p99, %v at most", p99, took[len(took)-1])
	}
	if len(removed) > 0 {
		t.Errorf("never honoured: %v", removed)
	}
}
