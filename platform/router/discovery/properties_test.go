package discovery

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever sources say and in whatever order, for every set of policies:
//
//   - at most relistsPerSecond lists start in any second;
//   - etcd is read only while the believed source is in doubt, or is etcd;
//   - at most one session a source is open, and every answer to one that has
//     been stopped is ignored;
//   - what was published adds up to the core's table;
//   - with a judge, the table never goes back in time once it is synced;
//   - no address is published that no source, peer, snapshot or seed has named;
//   - at most maxProbes probes are under way, none of them twice, and an address
//     is probed again after probeAgain at the earliest.
//
// A peer is none of the sources of the first three: it is asked beside them.
func TestCoreInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.do(Start{})
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
			w.do(w.draw())
			w.check()
		}
	})
}

// world is a core and what an observer has seen of it.
type world struct {
	t        *rapid.T
	core     *Core
	now      time.Time
	open     map[int]SessionID // by source
	ended    []SessionID
	lists    []time.Time
	mirror   map[string]Entry
	revision int64 // the highest that a synced core has stood for
	judged   bool
	named    map[string]bool
	probed   map[addressKey]time.Time // the last probe
	probing  map[addressKey]bool
}

func newWorld(t *rapid.T) *world {
	var policies []Policy
	for _, p := range Policies {
		if rapid.Bool().Draw(t, p.Name()) {
			policies = append(policies, p)
		}
	}
	c := Config{
		Parser:    rapid.SampledFrom(Parsers).Draw(t, "parser"),
		Policies:  policies,
		WatchNull: rapid.SampledFrom([]string{DropNull, FreezeOnNull}).Draw(t, "watch null"),
		Rand:      rand.New(rand.NewPCG(1, 1)),
		Sources:   []SourceInfo{{Name: "api-a"}, {Name: "api-b"}, {Name: "etcd", Direct: true}, {Name: "peer", Peer: true}},
		Seed:      Addresses{"s1": {"seed:1"}, "s2": {"seed:2"}},
	}
	_, judged := hook[judge](policies)
	return &world{
		t: t, core: New(c), now: time.Unix(1_509_113_400, 0), judged: judged,
		open: map[int]SessionID{}, mirror: map[string]Entry{},
		named:  map[string]bool{"seed:1": true, "seed:2": true},
		probed: map[addressKey]time.Time{}, probing: map[addressKey]bool{},
	}
}

// draw returns an event that a source, the disk or the data plane could send.
func (w *world) draw() Event {
	var session SessionID
	if source := rapid.IntRange(0, 3).Draw(w.t, "source"); w.open[source] != 0 {
		session = w.open[source]
	} else if len(w.ended) > 0 {
		session = rapid.SampledFrom(w.ended).Draw(w.t, "ended")
	}
	revision := max(1, w.core.State().Revision+rapid.Int64Range(-3, 5).Draw(w.t, "revision"))
	switch rapid.IntRange(0, 9).Draw(w.t, "kind") {
	case 0:
		var items []json.RawMessage
		for i := range rapid.IntRange(0, 3).Draw(w.t, "items") {
			items = append(items, w.record(i, revision))
		}
		return Listed{Session: session, Revision: revision, Items: items}
	case 1:
		return ListFailed{Session: session, Err: errors.New("failed")}
	case 2:
		return Changed{Session: session, Revision: revision, Item: w.record(rapid.IntRange(0, 3).Draw(w.t, "service"), revision)}
	case 3:
		return Changed{Session: session, Revision: revision, Deleted: true, Item: w.record(rapid.IntRange(0, 3).Draw(w.t, "service"), revision)}
	case 4:
		return Bookmark{Session: session, Revision: revision}
	case 5:
		return WatchBroken{Session: session, Gone: rapid.Bool().Draw(w.t, "gone"), Err: errors.New("broken")}
	case 6:
		return Evidence{
			Kind: EvidenceKind(rapid.IntRange(0, 1).Draw(w.t, "evidence")), Service: w.service(), Addr: w.host() + ":1",
		}
	case 7:
		w.named["disk:1"], w.named["kept:1"] = true, true
		return SnapshotLoaded{
			Revision: 50, SavedAt: w.now,
			Entries: []Entry{{Service: "s1", Endpoints: []Endpoint{{Addr: "disk:1"}}}},
			Kept:    []Kept{{Service: w.service(), Endpoints: []Endpoint{{Addr: "kept:1"}}, Usual: 2}},
		}
	case 8:
		return w.answer()
	default:
		return Tick{}
	}
}

func (w *world) service() string { return fmt.Sprintf("s%d", rapid.IntRange(0, 3).Draw(w.t, "of")) }

func (w *world) host() string {
	return rapid.SampledFrom([]string{"h", "i", "j", "disk", "kept", "seed"}).Draw(w.t, "host")
}

// answer is what a probe has found: one under way, or one that nobody made.
func (w *world) answer() Event {
	key := addressKey{w.service(), w.host() + ":1"}
	if asked := slices.SortedFunc(maps.Keys(w.probing), func(a, b addressKey) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.addr, b.addr))
	}); len(asked) > 0 {
		key = rapid.SampledFrom(asked).Draw(w.t, "asked")
	}
	delete(w.probing, key)
	alive := rapid.Bool().Draw(w.t, "alive")
	return Probed{Service: key.service, Addr: key.addr, Alive: alive, Late: !alive && rapid.Bool().Draw(w.t, "late")}
}

func (w *world) record(service int, revision int64) json.RawMessage {
	subsets := rapid.SampledFrom([]string{`null`, `[]`, `"none"`, ""}).Draw(w.t, "subsets")
	if subsets == "" {
		var addresses []string
		for _, host := range []string{"h", "i", "j"} {
			if rapid.Bool().Draw(w.t, host) {
				w.named[host+":1"] = true
				addresses = append(addresses, fmt.Sprintf(`{"ip":%q}`, host))
			}
		}
		subsets = fmt.Sprintf(`[{"addresses":[%s],"ports":[{"port":1}]}]`, strings.Join(addresses, ","))
	}
	return json.RawMessage(fmt.Sprintf(`{"metadata":{"name":"s%d","resourceVersion":"%d"},"subsets":%s}`, service, max(0, revision), subsets))
}

func (w *world) do(e Event) {
	allowed := w.mayReadEtcd()
	effects := w.core.Step(w.now, e)
	allowed = allowed || w.mayReadEtcd()
	for _, effect := range effects {
		switch effect := effect.(type) {
		case List:
			w.opened(effect.Source, effect.Session, allowed)
			if !w.core.config.Sources[effect.Source].Peer {
				w.lists = append(w.lists, w.now.Add(effect.After))
			}
		case Watch:
			w.opened(effect.Source, effect.Session, allowed)
		case Stop:
			for source, session := range w.open {
				if session == effect.Session {
					w.open[source] = 0
				}
			}
			w.ended = append(w.ended, effect.Session)
		case Probe:
			w.probes(effect)
		case Dial:
			if w.core.config.Sources[effect.Source].Direct && !allowed {
				w.t.Fatalf("etcd is dialled without doubt")
			}
		case Publish:
			if effect.Pending {
				clear(w.mirror)
			}
			for _, entry := range effect.Entries {
				for _, ep := range entry.Endpoints {
					if !w.named[ep.Addr] {
						w.t.Fatalf("%s was never named", ep.Addr)
					}
				}
				w.mirror[entry.Service] = entry
			}
			for _, name := range effect.Removed {
				delete(w.mirror, name)
			}
		}
	}
}

func (w *world) probes(p Probe) {
	key := addressKey{p.Service, p.Endpoint.Addr}
	switch last, again := w.probed[key]; {
	case w.probing[key]:
		w.t.Fatalf("%v is probed twice at once", key)
	case again && w.now.Sub(last) < probeAgain:
		w.t.Fatalf("%v is probed again after %v", key, w.now.Sub(last))
	case len(w.probing) >= maxProbes:
		w.t.Fatalf("more than %d probes are under way", maxProbes)
	}
	w.probed[key], w.probing[key] = w.now, true
}

func (w *world) mayReadEtcd() bool {
	return w.core.inDoubt() || w.core.config.Sources[w.core.current].Direct
}

func (w *world) opened(source int, session SessionID, mayReadEtcd bool) {
	if w.open[source] != 0 {
		w.ended = append(w.ended, w.open[source])
	}
	w.open[source] = session
	if w.core.config.Sources[source].Direct && !mayReadEtcd {
		w.t.Fatalf("etcd is read without doubt")
	}
}

func (w *world) check() {
	slices.SortFunc(w.lists, time.Time.Compare)
	for i := range w.lists {
		if j := i + relistsPerSecond; j < len(w.lists) && w.lists[j].Sub(w.lists[i]) < time.Second {
			w.t.Fatalf("%d lists within %v", relistsPerSecond+1, w.lists[j].Sub(w.lists[i]))
		}
	}
	running := map[SessionID]bool{}
	for i, s := range w.core.sessions {
		if s.id != 0 && (running[s.id] || w.open[i] != s.id) {
			w.t.Fatalf("session %d of source %d is not the one that was opened", s.id, i)
		}
		running[s.id] = true
	}
	if len(w.mirror) != len(w.core.table) {
		w.t.Fatalf("published %v, believed %v", w.mirror, w.core.table)
	}
	for name, entry := range w.core.table {
		if !slices.Equal(entry.Endpoints, w.mirror[name].Endpoints) {
			w.t.Fatalf("published %v, believed %v", w.mirror[name], entry)
		}
	}
	state := w.core.State()
	if w.judged && state.Synced && state.Basis == FromSource {
		if state.Revision < w.revision {
			w.t.Fatalf("the table went back from revision %d to %d", w.revision, state.Revision)
		}
		w.revision = state.Revision
	}
	if state.Basis == Pending || state.Basis == FromSeed {
		w.revision = 0 // forgotten on purpose (accept-all)
	}
}
