package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// lab is one router's core in a world that it can be tested in, in virtual
// time: a registry, sources that are well or are not, instances that are there
// or are not, and a data plane that sends requests and says what it ran into.
type lab struct {
	config   Config
	core     *Core
	registry *labRegistry
	modes    []labMode     // by source
	lagging  *labRegistry  // what lagging sources serve
	disk     *SaveSnapshot // nil: none
	alive    map[string]bool
	traffic  bool
	// answerIn draws how long an instance takes to answer a probe; nil: no time.
	answerIn func() time.Duration

	now      time.Time
	queue    []labEvent
	seq      int
	open     map[int]SessionID
	position map[int]int64 // of the watch that is open
	bookmark map[int]time.Time
	reported map[string]time.Time

	table   map[string][]string // what was published
	pending bool
	probes  int
}

// labMode is what a source is like.
type labMode int

const (
	well    labMode = iota
	dark            // takes connections, says nothing
	down            // takes no connection
	lagging         // serves an old state, in good faith
)

type labEvent struct {
	at    time.Time
	seq   int
	event Event
	// session must still be open, 0 for any.
	session SessionID
}

// labRegistry is a registry with its history.
type labRegistry struct {
	revision  int64
	compacted int64
	records   map[string]string // service → what follows "subsets":
	changed   map[string]int64  // the revision of the last change, deletions included
}

func newLabRegistry() *labRegistry {
	return &labRegistry{records: map[string]string{}, changed: map[string]int64{}}
}

func (r *labRegistry) clone() *labRegistry {
	return &labRegistry{r.revision, r.compacted, maps.Clone(r.records), maps.Clone(r.changed)}
}

// set writes a record of these addresses.
func (r *labRegistry) set(service string, addrs ...string) {
	r.revision++
	r.changed[service] = r.revision
	r.records[service] = labSubsets(addrs)
}

// setRaw writes a record with whatever for its subsets.
func (r *labRegistry) setRaw(service, subsets string) {
	r.revision++
	r.changed[service] = r.revision
	r.records[service] = subsets
}

func (r *labRegistry) delete(service string) {
	r.revision++
	r.changed[service] = r.revision
	delete(r.records, service)
}

func labSubsets(addrs []string) string {
	subsets := make([]string, len(addrs))
	for i, addr := range addrs {
		host, port, _ := strings.Cut(addr, ":")
		subsets[i] = fmt.Sprintf(`{"addresses":[{"ip":%q}],"ports":[{"port":%s}]}`, host, port)
	}
	return "[" + strings.Join(subsets, ",") + "]"
}

func (r *labRegistry) record(service string) json.RawMessage {
	return fmt.Appendf(nil, `{"metadata":{"name":%q,"resourceVersion":"%d"},"subsets":%s}`, service, r.changed[service], r.records[service])
}

func (r *labRegistry) list() []json.RawMessage {
	var items []json.RawMessage
	for _, service := range sortedNames(r.records) {
		items = append(items, r.record(service))
	}
	return items
}

// labTickEvents is far more than a router can have cause for in a tick.
const labTickEvents = 5_000

// labSources are those of every lab, in order.
var labSources = []SourceInfo{{Name: "api-a"}, {Name: "api-b"}, {Name: "peer", Peer: true}, {Name: "etcd", Direct: true}}

const (
	labPeer = 2
	labEtcd = 3
)

func newLab(parser Parser, policies []Policy, seed uint64) *lab {
	return &lab{
		registry: newLabRegistry(), modes: make([]labMode, len(labSources)),
		config: Config{
			Parser: parser, Policies: policies, WatchNull: DropNull, Sources: labSources, Rand: rand.New(rand.NewPCG(seed, 1)),
		},
		alive: map[string]bool{}, traffic: true, now: time.Unix(1_509_113_400, 0),
	}
}

// start starts the router, or starts it again.
func (l *lab) start() {
	l.core = New(l.config)
	l.queue, l.table, l.pending = nil, map[string][]string{}, true
	l.open, l.position = map[int]SessionID{}, map[int]int64{}
	l.bookmark, l.reported = map[int]time.Time{}, map[string]time.Time{}
	l.step(Start{})
}

// set makes sources what they are, all if none is named.
func (l *lab) set(mode labMode, sources ...int) {
	if len(sources) == 0 {
		sources = []int{0, 1, labPeer, labEtcd}
	}
	for _, i := range sources {
		l.modes[i] = mode
		if mode == down && l.open[i] != 0 {
			l.broken(l.open[i], false)
		}
	}
}

// breakWatches ends every watch; with gone, at a revision that is too old.
func (l *lab) breakWatches(gone bool) {
	if gone {
		l.registry.compacted = l.registry.revision
	}
	for i := range labSources {
		if _, watched := l.position[i]; watched {
			l.broken(l.open[i], gone)
		}
	}
}

func (l *lab) broken(session SessionID, gone bool) {
	l.later(0, session, WatchBroken{Session: session, Gone: gone, Err: errors.New("connection reset")})
}

func (l *lab) later(after time.Duration, session SessionID, e Event) {
	l.seq++
	l.queue = append(l.queue, labEvent{l.now.Add(after), l.seq, e, session})
}

// run lets time pass, up to a whole tick.
func (l *lab) run(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); {
		tick := l.now.Truncate(TickEvery).Add(TickEvery)
		l.tell()
		l.meet()
		for delivered := 0; ; delivered++ {
			if delivered > labTickEvents {
				panic("a router that never rests: more than labTickEvents in a tick")
			}
			next := -1
			for i, q := range l.queue {
				if q.at.After(tick) {
					continue
				}
				if n := next; n < 0 || q.at.Before(l.queue[n].at) || q.at.Equal(l.queue[n].at) && q.seq < l.queue[n].seq {
					next = i
				}
			}
			if next < 0 {
				break
			}
			q := l.queue[next]
			l.queue = slices.Delete(l.queue, next, next+1)
			if q.at.After(l.now) {
				l.now = q.at
			}
			if q.session == 0 || l.isOpen(q.session) {
				l.deliver(q.event)
			}
		}
		l.now = tick
		l.step(Tick{})
	}
}

func (l *lab) isOpen(session SessionID) bool {
	for _, open := range l.open {
		if open == session {
			return true
		}
	}
	return false
}

func (l *lab) deliver(e Event) {
	switch e := e.(type) {
	case Listed:
		l.closed(e.Session)
	case ListFailed:
		l.closed(e.Session)
	case WatchBroken:
		l.closed(e.Session)
	case Probed:
		e.Alive = l.alive[e.Addr]
		l.step(e)
		return
	}
	l.step(e)
}

func (l *lab) closed(session SessionID) {
	for i, open := range l.open {
		if open == session {
			delete(l.open, i)
			delete(l.position, i)
		}
	}
}

// serves is the registry as a source sees it.
func (l *lab) serves(source int) *labRegistry {
	if l.modes[source] == lagging {
		return l.lagging
	}
	return l.registry
}

// tell has sources tell what is new on watches that are open.
func (l *lab) tell() {
	for i := range labSources {
		position, watched := l.position[i]
		if !watched || l.modes[i] == dark || l.modes[i] == down {
			continue
		}
		r, session := l.serves(i), l.open[i]
		if position < r.compacted || position > r.revision {
			// Its history does not reach back, or not so far forward.
			l.broken(session, true)
			delete(l.position, i)
			continue
		}
		if labSources[i].Peer {
			if r.revision > position {
				l.broken(session, true) // it has a whole table to offer
				delete(l.position, i)
			}
			continue
		}
		var news []string
		for service, revision := range r.changed {
			if revision > position {
				news = append(news, service)
			}
		}
		slices.SortFunc(news, func(a, b string) int { return int(r.changed[a] - r.changed[b]) })
		for _, service := range news {
			_, there := r.records[service]
			item := r.record(service)
			if !there {
				item = fmt.Appendf(nil, `{"metadata":{"name":%q}}`, service)
			}
			l.later(0, session, Changed{Session: session, Revision: r.changed[service], Deleted: !there, Item: item})
		}
		l.position[i] = max(position, r.revision)
		if l.now.Sub(l.bookmark[i]) >= time.Second {
			l.bookmark[i] = l.now
			l.later(0, session, Bookmark{Session: session, Revision: r.revision})
		}
	}
}

// meet has the data plane send requests everywhere, and report whom it did not
// find, once a second for each address.
func (l *lab) meet() {
	if !l.traffic {
		return
	}
	for _, service := range sortedNames(l.table) {
		for _, addr := range l.table[service] {
			if !l.alive[addr] && l.now.Sub(l.reported[addr]) >= time.Second {
				l.reported[addr] = l.now
				l.later(0, 0, Evidence{Kind: Unreachable, Service: service, Addr: addr})
			}
		}
	}
}

func (l *lab) step(e Event) {
	for _, effect := range l.core.Step(l.now, e) {
		switch effect := effect.(type) {
		case List:
			l.open[effect.Source] = effect.Session
			delete(l.position, effect.Source)
			l.list(effect)
		case Watch:
			l.open[effect.Source] = effect.Session
			delete(l.position, effect.Source)
			if l.modes[effect.Source] == down {
				l.later(effect.After, effect.Session, WatchBroken{Session: effect.Session, Err: errors.New("refused")})
			} else {
				l.position[effect.Source] = effect.Revision
			}
		case Stop:
			l.closed(effect.Session)
		case Publish:
			l.published(effect)
		case LoadSnapshot:
			loaded := SnapshotLoaded{}
			if l.disk != nil {
				loaded = SnapshotLoaded{Entries: l.disk.Entries, Kept: l.disk.Kept, Revision: l.disk.Revision, SavedAt: l.disk.SavedAt}
			}
			l.later(0, 0, loaded)
		case SaveSnapshot:
			l.disk = &effect
		case Probe:
			l.probes++
			var after time.Duration
			if l.answerIn != nil {
				after = l.answerIn()
			}
			late := after >= probeTimeout
			l.later(min(after, probeTimeout), 0, Probed{Service: effect.Service, Addr: effect.Endpoint.Addr, Late: late})
		}
	}
}

func (l *lab) list(e List) {
	r := l.serves(e.Source)
	switch l.modes[e.Source] {
	case dark:
		l.later(e.After+listTimeout, e.Session, ListFailed{Session: e.Session, Err: errors.New("timed out")})
	case down:
		l.later(e.After, e.Session, ListFailed{Session: e.Session, Err: errors.New("refused")})
	case well, lagging:
		l.later(e.After, e.Session, Listed{Session: e.Session, Revision: r.revision, Items: r.list()})
	}
}

func (l *lab) published(p Publish) {
	if p.Pending {
		clear(l.table)
	}
	for _, entry := range p.Entries {
		addrs := make([]string, len(entry.Endpoints))
		for i, ep := range entry.Endpoints {
			addrs[i] = ep.Addr
		}
		l.table[entry.Service] = addrs
	}
	for _, service := range p.Removed {
		delete(l.table, service)
	}
	l.pending = l.core.State().Basis == Pending
}
