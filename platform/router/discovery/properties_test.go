package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
//   - with a judge, the table never goes back in time once it is synced.
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
		Sources:   []SourceInfo{{Name: "api-a"}, {Name: "api-b"}, {Name: "etcd", Direct: true}},
	}
	_, judged := hook[judge](policies)
	return &world{
		t: t, core: New(c), now: time.Unix(1_509_113_400, 0), judged: judged,
		open: map[int]SessionID{}, mirror: map[string]Entry{},
	}
}

// draw returns an event that a source, the disk or the data plane could send.
func (w *world) draw() Event {
	var session SessionID
	if source := rapid.IntRange(0, 2).Draw(w.t, "source"); w.open[source] != 0 {
		session = w.open[source]
	} else if len(w.ended) > 0 {
		session = rapid.SampledFrom(w.ended).Draw(w.t, "ended")
	}
	revision := max(1, w.core.State().Revision+rapid.Int64Range(-3, 5).Draw(w.t, "revision"))
	switch rapid.IntRange(0, 8).Draw(w.t, "kind") {
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
		return Evidence{Kind: EvidenceKind(rapid.IntRange(0, 1).Draw(w.t, "evidence")), Service: "s1", Addr: "h:1"}
	case 7:
		return SnapshotLoaded{Revision: 50, SavedAt: w.now, Entries: []Entry{{Service: "s1", Endpoints: []Endpoint{{Addr: "h:1"}}}}}
	default:
		return Tick{}
	}
}

func (w *world) record(service int, revision int64) json.RawMessage {
	subsets := rapid.SampledFrom([]string{
		`null`, `[]`, `"none"`,
		`[{"addresses":[{"ip":"h"}],"ports":[{"port":1}]}]`,
		`[{"addresses":[{"ip":"h"},{"ip":"i"}],"ports":[{"port":1}]}]`,
	}).Draw(w.t, "subsets")
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
			w.lists = append(w.lists, w.now.Add(effect.After))
		case Watch:
			w.opened(effect.Source, effect.Session, allowed)
		case Stop:
			for source, session := range w.open {
				if session == effect.Session {
					w.open[source] = 0
				}
			}
			w.ended = append(w.ended, effect.Session)
		case Dial:
			if w.core.config.Sources[effect.Source].Direct && !allowed {
				w.t.Fatalf("etcd is dialled without doubt")
			}
		case Publish:
			if effect.Pending {
				clear(w.mirror)
			}
			for _, entry := range effect.Entries {
				w.mirror[entry.Service] = entry
			}
			for _, name := range effect.Removed {
				delete(w.mirror, name)
			}
		}
	}
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
	if state.Basis == Pending {
		w.revision = 0 // forgotten on purpose (accept-all)
	}
}
