// Package clientside is the data plane without a proxy: a grpc-go resolver and
// balancer inside every instance. Which instance gets a call is decided by the
// strategies of router/balance, what is believed about instances by
// router/discovery, as in a router; so an arm with this data plane differs from
// one with a proxy in that, and in nothing else. Each calling instance has a
// table of its own, which is what the approach costs.
//
// Where the arm's discovery is etcd-naming, the parts are grpc-go's and etcd's
// own: the balancer round_robin and the naming resolver (naming.go).
//
// What a router is to its node, the libraries of a node's instances are
// together: they start once the node agent has read their configuration, and
// they have one status. Restarting "the router" of such a node starts them
// afresh, without a table, as restarting those services would; calls under way
// go on.
//
//	Plane        a node's: which incarnation there is, and which callers
//	Incarnation  what a configuration made, from start to kill
//	Caller       an instance's: its channels, and the library behind them
//	library      an incarnation in one caller: a table, or etcd's resolver
package clientside

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/balancer"

	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
)

// Options is what the libraries of a node are given by the machine.
type Options struct {
	Node, Zone string
	// Discovery is the feed that the platform was built for: which resolver a
	// service has in it is settled when it is built. A configuration that asks
	// for etcd's naming resolver where there is another, or the reverse, is
	// refused.
	Discovery string
	// APIServers are base URLs, own zone first.
	APIServers []string
	// EtcdEndpoints returns the addresses of etcd, for the product's own
	// discovery as a last resort.
	EtcdEndpoints func() []string
	// NamingClient connects to etcd for its naming resolver. The caller of it
	// closes the client.
	NamingClient func() (*clientv3.Client, error)
	// NameServers and Truth are for the feeds of those names.
	NameServers []string
	Truth       *feed.Truth
	// SnapshotDir is the node's own disk; each service gets a directory in it.
	SnapshotDir string
	// Seed makes picks and jitter repeatable.
	Seed uint64
	Log  *slog.Logger
}

// Plane is the client-side data plane of one node. It is safe for concurrent
// use. It ends with its incarnations and callers.
type Plane struct {
	options Options

	mu      sync.Mutex
	current *Incarnation // nil while there is none
	alive   map[*Incarnation]bool
	callers map[*Caller]bool
}

var errNotRegistered = errors.New("client-side data plane: clientside.Register was not called when the program started")

// Register makes the balancer known to grpc-go, which takes balancers in no
// other way. It must be called once, before any channel is made: grpc-go's
// table has no lock.
func Register() { balancer.Register(builder{}) }

// New returns the plane of a node, without an incarnation yet.
func New(o Options) (*Plane, error) {
	if balancer.Get(balancerName) == nil {
		return nil, errNotRegistered
	}
	return &Plane{options: o, alive: map[*Incarnation]bool{}, callers: map[*Caller]bool{}}, nil
}

// Start makes an incarnation with a configuration, as YAML. It takes the place
// of the one before at once if that is dead, else when it is ready. Nobody
// connects to the listener of a router that there is not: it is closed when
// the incarnation ends.
func (p *Plane) Start(config []byte, l net.Listener) (*Incarnation, error) {
	c, err := router.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	if c.DataPlane != router.DataPlaneClientSide {
		return nil, fmt.Errorf("the services of node %s were built without a proxy: they cannot have dataplane %s", p.options.Node, c.DataPlane)
	}
	if p.naming() != (c.Discovery == feed.EtcdNaming) {
		return nil, fmt.Errorf("the services of node %s were built with discovery %s: they cannot have %s", p.options.Node, p.options.Discovery, c.Discovery)
	}
	i := &Incarnation{
		plane: p, config: c, listener: l,
		libraries: map[*Caller]library{}, ready: make(chan struct{}),
	}
	p.mu.Lock()
	p.alive[i] = true
	if p.current == nil {
		p.current = i
	}
	for caller := range p.callers {
		i.add(caller)
	}
	p.mu.Unlock()
	i.look()
	return i, nil
}

func (p *Plane) naming() bool { return p.options.Discovery == feed.EtcdNaming }

// Caller returns the library of one instance, which the instance's dialer is
// given as its plane. The caller closes it, after the dialer.
func (p *Plane) Caller(service, instance string, log *slog.Logger) *Caller {
	return &Caller{
		plane: p, service: service, instance: instance, log: log,
		channels: map[string]*channel{}, changed: make(chan struct{}),
	}
}

// join takes in a caller that has begun to call.
func (p *Plane) join(c *Caller) {
	p.mu.Lock()
	p.callers[c] = true
	alive := slices.Collect(maps.Keys(p.alive))
	for _, i := range alive {
		i.add(c)
	}
	p.mu.Unlock()
	for _, i := range alive {
		i.look()
	}
}

// leave lets a caller go, and waits until its libraries have ended.
func (p *Plane) leave(c *Caller) {
	p.mu.Lock()
	delete(p.callers, c)
	alive := slices.Collect(maps.Keys(p.alive))
	var left []library
	for _, i := range alive {
		if l, ok := i.libraries[c]; ok {
			left = append(left, l)
			delete(i.libraries, c)
		}
	}
	p.mu.Unlock()
	c.install(nil)
	for _, l := range left {
		l.close()
	}
	for _, i := range alive {
		i.look()
	}
}

// library is an incarnation in one caller.
type library interface {
	// open is told of a channel that has been made or is to be looked at anew,
	// and sees to its addresses until ctx ends.
	open(ctx context.Context, c *channel)
	// ready says that the library knows whom to call.
	ready() bool
	// state is what it rests on, addresses a copy of what it knows.
	state() discovery.State
	addresses() map[string][]string
	// etcdReads counts its direct reads of etcd so far.
	etcdReads() int64
	close()
}

// library makes the library of a caller.
func (p *Plane) library(c *Caller, i *Incarnation) library {
	if p.naming() {
		return newNaming(c, i)
	}
	return newTable(c, i)
}
