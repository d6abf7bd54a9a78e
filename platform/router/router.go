// Package router is the per-node router: it takes gRPC requests whose
// :authority is a service's name, picks an instance of that service and moves
// the bytes. Which instance it picks is decided in router/balance, what it
// believes about the instances in router/discovery; both are pure. Here are
// the sockets, the goroutines and the table that joins the two.
package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
)

// Options is what a router is given by the machine it runs on.
type Options struct {
	Node, Zone string

	// Index and Callers say that this is router Index, from 0, of Callers that
	// send to the same instances: strategies that divide these among the callers
	// (balance.Placed) then give them exactly even load. Callers 0: nobody knows.
	Index, Callers int

	// Config is YAML, see Config.
	Config []byte

	// Listener is where requests come in. The router closes it; the node
	// agent leases it out in such a way that the socket survives.
	Listener net.Listener

	// APIServers are base URLs, own zone first.
	APIServers []string

	// EtcdEndpoints returns the addresses of etcd, asked for only when every
	// API server is in doubt.
	EtcdEndpoints func() []string

	// Sources are read before API servers and etcd. The router closes them.
	Sources []discovery.Source

	// Namespace is the one whose services go by their bare names; those of
	// others are name.namespace. Empty: registry.Namespace.
	Namespace string

	// DefaultService gets the requests whose :authority names no service, but
	// the router's own address, say. Empty: they are refused.
	DefaultService string

	// NameServers (host:port, own zone first) and Truth are what the
	// discoveries dns and oracle need.
	NameServers []string
	Truth       *feed.Truth

	// Peers are the base URLs of other routers' tables, used by the policy
	// gossip.
	Peers []string

	// SnapshotDir is the router's own disk, used by the policy snapshot.
	SnapshotDir string

	Log *slog.Logger
	// AccessLog asks for a line in Log for each request; see rpc.LogCall.
	AccessLog bool

	// Seed makes picks and jitter repeatable.
	Seed uint64
}

// Router is one running router. Its methods may be called from any goroutine.
type Router struct {
	options Options
	config  Config
	log     *slog.Logger
	table   *table
	etcd    *discovery.Etcd // nil: none
	plane   dataPlane

	discovery feed.Feed
	serving   sync.WaitGroup

	start, stop sync.Once
	readyOnce   sync.Once
	ready       chan struct{}

	requests, attempts atomic.Int64
	counters           counters
}

// New checks the options and builds a router that does nothing until Start.
// A router that is never started must not be drained or killed; close its
// listener.
func New(o Options) (*Router, error) {
	c, err := ParseConfig(o.Config)
	if err != nil {
		return nil, err
	}
	if len(o.APIServers) == 0 && len(o.Sources) == 0 && o.EtcdEndpoints == nil {
		return nil, errors.New("a router needs somewhere to read the table: API servers, etcd, or a source of its own")
	}
	if o.Callers < 0 || o.Index < 0 || o.Callers > 0 && o.Index >= o.Callers {
		return nil, fmt.Errorf("a router cannot be number %d, from 0, of %d", o.Index, o.Callers)
	}
	r := &Router{options: o, config: c, log: o.Log, ready: make(chan struct{})}
	if r.plane = newPlane(c.DataPlane, r); r.plane == nil {
		return nil, fmt.Errorf("data plane %q needs no router; a router has one of %v", c.DataPlane, ProxyPlanes())
	}
	r.table = newTable(c, position{o.Index, o.Callers}, r.plane, o.Seed, o.Log)
	r.table.defaultService = o.DefaultService
	return r, nil
}

// Start begins to serve and to discover, and returns at once.
func (r *Router) Start() { r.start.Do(r.run) }

func (r *Router) run() {
	parser, _ := discovery.ParserByName(r.config.Parser)       // New has
	policies, _ := discovery.PoliciesByName(r.config.Policies) // checked both
	sources := slices.Clone(r.options.Sources)
	for _, base := range r.options.APIServers {
		sources = append(sources, discovery.NewAPIServer(base))
	}
	if r.config.Has("gossip") {
		for _, base := range r.options.Peers {
			sources = append(sources, discovery.NewPeer(base))
		}
	}
	if r.options.EtcdEndpoints != nil {
		r.etcd = discovery.NewEtcd(r.options.EtcdEndpoints)
		if len(sources) == 0 {
			sources = append(sources, discovery.Primary(r.etcd))
		} else {
			sources = append(sources, r.etcd)
		}
	}
	runner := discovery.RunnerConfig{
		Core: discovery.Config{
			Parser: parser.In(r.options.Namespace), Policies: policies, WatchNull: r.config.WatchNull,
			Zones: GoesByZones(r.config.Strategy), Rand: newRand(r.options.Seed, r.options.Node),
		},
		Sources:     sources,
		SnapshotDir: r.options.SnapshotDir,
		Apply:       r.apply,
		Probe:       alive,
		Log:         r.log,
	}
	r.discovery = feed.Start(r.config.Discovery, feed.Options{
		Runner: runner, APIServers: r.options.APIServers, NameServers: r.options.NameServers, Truth: r.options.Truth,
	})
	r.serving.Go(func() {
		if err := r.plane.serve(r.options.Listener); err != nil {
			r.log.Error("the router stopped serving", "error", err)
		}
	})
}

func (r *Router) apply(changes []discovery.Publish, state discovery.State) {
	r.table.apply(changes, state)
	if state.Basis != discovery.Pending {
		r.readyOnce.Do(func() { close(r.ready) })
	}
}

// missed tells a discovery that finds out only about names that are asked for.
func (r *Router) missed(name string) {
	if asked, ok := r.discovery.(feed.Asked); ok {
		asked.Ask(name)
	}
}

// ServeHTTP answers other routers that ask for the table, as gossip does, at
// any path.
func (r *Router) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	teller, ok := r.discovery.(interface {
		Told(ctx context.Context, after int64) (discovery.Told, error)
	})
	if !ok {
		http.Error(w, "this router has its table from elsewhere and lends it to nobody", http.StatusServiceUnavailable)
		return
	}
	discovery.TableHandler(teller.Told).ServeHTTP(w, q)
}

// Ready is closed when the router has a table, from a list or from disk.
func (r *Router) Ready() <-chan struct{} { return r.ready }

// Drain stops taking connections, lets what is under way finish and returns
// when all is done, or with ctx's error after stopping hard.
func (r *Router) Drain(ctx context.Context) error {
	done, err := untilDone(ctx, r.plane.drain)
	if err != nil {
		err = fmt.Errorf("drain the router: %w", err)
	}
	r.Kill()
	<-done
	return err
}

// Kill stops at once: connections die, requests under way are lost.
func (r *Router) Kill() {
	r.stop.Do(func() {
		r.discovery.Close() // first: it makes connections
		r.plane.stop()
		r.table.close()
	})
	r.serving.Wait()
}
