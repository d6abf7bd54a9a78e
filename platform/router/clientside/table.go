package clientside

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
)

// table is the library whose balancing is ours: what a feed says about every
// service, and how those that are called are balanced.
type table struct {
	caller      *Caller
	incarnation *Incarnation
	feed        feed.Feed
	etcd        *discovery.Etcd

	mu       sync.Mutex
	whatIs   discovery.State
	entries  map[string]discovery.Entry
	versions map[string]int64    // of entries, those that are gone included
	services map[string]*service // those that are called
}

func newTable(c *Caller, i *Incarnation) *table {
	t := &table{
		caller: c, incarnation: i,
		entries: map[string]discovery.Entry{}, versions: map[string]int64{}, services: map[string]*service{},
	}
	o := c.plane.options
	parser, _ := discovery.ParserByName(i.config.Parser)       // Parsing the configuration
	policies, _ := discovery.PoliciesByName(i.config.Policies) // checked both.
	options := feed.Options{
		Runner: discovery.RunnerConfig{
			Core: discovery.Config{
				Parser: parser, Policies: policies, WatchNull: i.config.WatchNull,
				Zones: router.GoesByZones(i.config.Strategy), Rand: newRand(o.Seed, c.instance),
			},
			SnapshotDir: filepath.Join(o.SnapshotDir, c.service),
			Apply:       t.apply, Probe: router.Alive, Log: c.log,
		},
		APIServers: o.APIServers, NameServers: o.NameServers, Truth: o.Truth,
	}
	for _, base := range o.APIServers {
		options.Runner.Sources = append(options.Runner.Sources, discovery.NewAPIServer(base))
	}
	if o.EtcdEndpoints != nil {
		t.etcd = discovery.NewEtcd(o.EtcdEndpoints)
		options.Runner.Sources = append(options.Runner.Sources, t.etcd)
	}
	t.feed = feed.Start(i.config.Discovery, options)
	return t
}

// apply takes what the feed says. It is called from one goroutine.
func (t *table) apply(changes []discovery.Publish, state discovery.State) {
	t.mu.Lock()
	touched := map[string]bool{}
	for _, change := range changes {
		if change.Pending {
			for name := range t.entries {
				touched[name] = true
			}
			clear(t.entries)
		}
		for _, entry := range change.Entries {
			t.entries[entry.Service] = entry
			touched[entry.Service] = true
		}
		for _, name := range change.Removed {
			delete(t.entries, name)
			touched[name] = true
		}
	}
	for name := range touched {
		t.versions[name]++
	}
	before := t.whatIs.Basis
	t.whatIs = state
	t.mu.Unlock()
	if len(touched) > 0 {
		t.caller.refresh(touched)
	}
	if len(touched) > 0 || state.Basis != before {
		t.caller.announce()
	}
	if before == discovery.Pending && state.Basis != discovery.Pending {
		t.incarnation.look()
	}
}

// open gives a channel the addresses of its service, and what balances them.
func (t *table) open(_ context.Context, ch *channel) {
	s := t.service(ch.service)
	t.mu.Lock()
	entry, version := t.entries[ch.service], t.versions[ch.service]
	t.mu.Unlock()
	s.locate(entry)
	state := resolver.State{Attributes: attributes.New(bindingAttribute{}, binding{s, version})}
	for _, e := range entry.Endpoints {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{
			Addresses:  []resolver.Address{{Addr: e.Addr}},
			Attributes: attributes.New(instanceAttribute{}, e.Instance),
		})
	}
	ch.update(state)
}

// service is what balances a service's instances.
func (t *table) service(name string) *service {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.services[name]
	if !ok {
		s = newService(name, t, t.incarnation.config)
		t.services[name] = s
	}
	return s
}

// lookup says what there is to know of a name: whether the table has it, and
// whether there is a table.
func (t *table) lookup(name string) (known, pending bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known = t.entries[name]
	return known, t.whatIs.Basis == discovery.Pending
}

// version says which entry of a name this is.
func (t *table) version(name string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.versions[name]
}

// missed says that a name was wanted which the table does not have.
func (t *table) missed(name string) {
	if asked, ok := t.feed.(feed.Asked); ok {
		asked.Ask(name)
	}
}

func (t *table) ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.whatIs.Basis != discovery.Pending
}

func (t *table) state() discovery.State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.whatIs
}

func (t *table) addresses() map[string][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string][]string, len(t.entries))
	for name, entry := range t.entries {
		var addrs []string
		for _, e := range entry.Endpoints {
			addrs = append(addrs, e.Addr)
		}
		slices.Sort(addrs)
		all[name] = addrs
	}
	return all
}

// etcdReads counts direct reads of etcd so far.
func (t *table) etcdReads() int64 {
	if t.etcd == nil {
		return 0
	}
	return t.etcd.Reads()
}

func (t *table) close() {
	t.feed.Close()
	t.incarnation.etcdReads.Add(t.etcdReads())
}

// newRand returns a source of randomness of a name's own, so that what one
// draws does not change what another does.
func newRand(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
