package benign

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"breakbank/platform/router/discovery"
)

const (
	apiServers = 3
	// Delays on the way from the registry to the router, and of an answer.
	delayMin, delayMax = time.Millisecond, 20 * time.Millisecond
	listTakes          = 5 * time.Millisecond
	bookmarkEvery      = time.Second
	probeTakes         = time.Millisecond
)

// began is when virtual time starts.
var began = time.Date(2017, 10, 27, 14, 10, 0, 0, time.UTC)

// router is one arm: a core, its sources, and the table of its data plane.
type router struct {
	clock    clock
	plan     *plan
	core     *discovery.Core
	seed     uint64
	sessions map[discovery.SessionID]*session
	written  int                 // writes of the plan that have happened
	records  []json.RawMessage   // by service, as of now; nil: none
	table    map[string][]string // what is published

	dataPlane dataPlane
	figures   figures
	pending   map[string][]*pendingRemoval // by service
}

// session is a list or watch that is open.
type session struct {
	source   int
	watching bool
	next     time.Duration // what it says next comes no sooner
}

func newRouter(p *plan, policies []discovery.Policy, parser discovery.Parser, seed uint64) *router {
	r := &router{
		plan: p, seed: seed, sessions: map[discovery.SessionID]*session{},
		records: make([]json.RawMessage, p.services), table: map[string][]string{},
		pending: map[string][]*pendingRemoval{},
	}
	r.dataPlane.waiting = map[string][]*request{}
	r.dataPlane.reported = map[string]time.Duration{}
	config := discovery.Config{
		Parser: parser, Policies: policies, WatchNull: discovery.DropNull, Rand: rand.New(rand.NewPCG(seed, 2)),
	}
	for i := range apiServers {
		config.Sources = append(config.Sources, discovery.SourceInfo{Name: fmt.Sprintf("apiserver-%d", i)})
	}
	config.Sources = append(config.Sources, discovery.SourceInfo{Name: "etcd", Direct: true})
	r.core = discovery.New(config)
	return r
}

// play plays the whole plan.
func (r *router) play(ratePerS float64) figures {
	for i, w := range r.plan.writes {
		r.clock.at(w.at, func() { r.commit(i, w) })
	}
	for _, at := range r.plan.restarts {
		r.clock.at(at, r.restartFirst)
	}
	for i := range r.plan.removals {
		gone := &pendingRemoval{removal: r.plan.removals[i]}
		r.clock.at(gone.at, func() { r.expect(gone) })
	}
	r.clock.at(0, func() { r.step(discovery.Start{}) })
	r.clock.at(0, r.tick)
	r.clock.at(lead/2, func() { r.arrivals(ratePerS) })
	r.clock.runUntil(r.plan.length)
	for _, gone := range r.pending {
		r.figures.notHonoured += len(gone)
	}
	return r.figures
}

func (r *router) tick() {
	r.step(discovery.Tick{})
	r.clock.at(r.clock.now+discovery.TickEvery, r.tick)
}

// commit writes to the registry, and has open watches told.
func (r *router) commit(i int, w write) {
	r.written = i + 1
	r.records[w.service] = r.plan.record(w, int64(i+1))
	for _, id := range slices.Sorted(maps.Keys(r.sessions)) {
		if s := r.sessions[id]; s.watching {
			r.tell(id, s, i)
		}
	}
}

// tell has a watch report a write, later and in order.
func (r *router) tell(id discovery.SessionID, s *session, i int) {
	w := r.plan.writes[i]
	s.next = max(s.next, r.clock.now+r.delay(i))
	item := r.plan.record(w, int64(i+1))
	r.clock.at(s.next, func() {
		if r.sessions[id] == s {
			r.step(discovery.Changed{Session: id, Revision: int64(i + 1), Item: item})
		}
	})
}

// delay is the same for every arm and every source: who follows another source
// is not to win or lose by its being quicker.
func (r *router) delay(i int) time.Duration {
	rng := rand.New(rand.NewPCG(r.seed, uint64(i)))
	return delayMin + time.Duration(rng.Int64N(int64(delayMax-delayMin)))
}

func (r *router) restartFirst() {
	for _, id := range slices.Sorted(maps.Keys(r.sessions)) {
		if s := r.sessions[id]; s.source == 0 && s.watching {
			delete(r.sessions, id)
			r.step(discovery.WatchBroken{Session: id, Err: errRestarted})
		}
	}
}

// step tells the core of an event and does what it wants done.
func (r *router) step(e discovery.Event) {
	for e != nil {
		effects := r.core.Step(began.Add(r.clock.now), e)
		e = nil
		for _, effect := range effects {
			switch effect := effect.(type) {
			case discovery.Publish:
				r.publish(effect)
			case discovery.List:
				r.list(effect)
			case discovery.Watch:
				r.watch(effect)
			case discovery.Stop:
				delete(r.sessions, effect.Session)
			case discovery.LoadSnapshot:
				e = discovery.SnapshotLoaded{} // a first start: there is none
			case discovery.Probe:
				r.probe(effect)
			case discovery.Dial, discovery.HangUp, discovery.SaveSnapshot, discovery.Log:
			}
		}
	}
}

func (r *router) list(l discovery.List) {
	s := &session{source: l.Source}
	r.sessions[l.Session] = s
	r.clock.at(r.clock.now+l.After+listTakes, func() {
		if r.sessions[l.Session] != s {
			return
		}
		delete(r.sessions, l.Session)
		var items []json.RawMessage
		for _, item := range r.records {
			if item != nil {
				items = append(items, item)
			}
		}
		r.step(discovery.Listed{Session: l.Session, Revision: int64(r.written), Items: items})
	})
}

func (r *router) watch(w discovery.Watch) {
	s := &session{source: w.Source}
	r.sessions[w.Session] = s
	r.clock.at(r.clock.now+w.After+delayMin, func() {
		if r.sessions[w.Session] != s {
			return
		}
		s.watching = true
		for i := int(w.Revision); i < r.written; i++ {
			r.tell(w.Session, s, i)
		}
		r.bookmark(w.Session, s)
	})
}

// bookmark says each second that everything so far has been told.
func (r *router) bookmark(id discovery.SessionID, s *session) {
	revision := int64(r.written)
	s.next = max(s.next, r.clock.now+delayMin)
	r.clock.at(s.next, func() {
		if r.sessions[id] == s {
			r.step(discovery.Bookmark{Session: id, Revision: revision})
		}
	})
	r.clock.at(r.clock.now+bookmarkEvery, func() {
		if r.sessions[id] == s {
			r.bookmark(id, s)
		}
	})
}

func (r *router) probe(p discovery.Probe) {
	r.figures.probes++
	r.clock.at(r.clock.now+probeTakes, func() {
		alive := r.plan.answers(p.Endpoint.Addr, r.clock.now)
		r.step(discovery.Probed{Service: p.Service, Addr: p.Endpoint.Addr, Alive: alive})
	})
}

// publish changes the data plane's table.
func (r *router) publish(p discovery.Publish) {
	if p.Pending {
		clear(r.table)
	}
	for _, e := range p.Entries {
		addrs := make([]string, len(e.Endpoints))
		for i, ep := range e.Endpoints {
			addrs[i] = ep.Addr
		}
		r.change(e.Service, addrs)
	}
	for _, name := range p.Removed {
		r.change(name, nil)
	}
}

func (r *router) change(service string, addrs []string) {
	r.table[service] = addrs
	r.pending[service] = slices.DeleteFunc(r.pending[service], func(gone *pendingRemoval) bool {
		return r.honoured(gone)
	})
	r.retry(service)
}

// record is a write as it is on the wire.
func (p *plan) record(w write, revision int64) json.RawMessage {
	subsets := "null"
	if len(w.addrs) > 0 {
		parts := make([]string, len(w.addrs))
		for i, addr := range w.addrs {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				host, port = addr, "0" // plan makes none such
			}
			parts[i] = fmt.Sprintf(`{"addresses":[{"ip":%q,"targetRef":{"name":"pod-%s"}}],"ports":[{"port":%s}]}`, host, host, port)
		}
		subsets = "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Appendf(nil, `{"metadata":{"name":%q,"resourceVersion":"%d"},"subsets":%s}`, p.names[w.service], revision, subsets)
}
