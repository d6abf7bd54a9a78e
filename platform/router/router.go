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
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	// Compressed requests are taken apart here and go on uncompressed.
	_ "google.golang.org/grpc/encoding/gzip"

	"breakbank/platform/router/discovery"
)

const (
	// maxMessageBytes is gRPC's usual limit of 4 MiB, which the instances
	// enforce, and room for a message that is a little over it, so that it is
	// the instance that says so.
	maxMessageBytes = 4<<20 + 64<<10
	// maxStreams bounds the requests under way on one connection.
	maxStreams = 20_000
	// streamWorkersPerCPU is how many goroutines are kept at hand for requests,
	// whose stacks have grown already.
	streamWorkersPerCPU = 2
	// minPingEvery is how often a client may probe its connection.
	minPingEvery = time.Second
)

// Options is what a router is given by the machine it runs on.
type Options struct {
	Node, Zone string

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

	// SnapshotDir is the router's own disk, used by the policy snapshot.
	SnapshotDir string

	Log *slog.Logger

	// Seed makes picks and jitter repeatable.
	Seed uint64
}

// Router is one running router. Its methods may be called from any goroutine.
type Router struct {
	options Options
	config  Config
	log     *slog.Logger
	methods methods
	table   *table
	etcd    *discovery.Etcd // nil: none
	server  *grpc.Server

	discovery *discovery.Runner
	uploads   sync.WaitGroup // goroutines of streams
	serving   sync.WaitGroup

	start, stop sync.Once
	readyOnce   sync.Once
	ready       chan struct{}

	requests, attempts atomic.Int64
}

// New checks the options and builds a router that does nothing until Start.
// A router that is never started must not be drained or killed; close its
// listener.
func New(o Options) (*Router, error) {
	c, err := ParseConfig(o.Config)
	if err != nil {
		return nil, err
	}
	if len(o.APIServers) == 0 {
		return nil, errors.New("a router needs at least one API server")
	}
	r := &Router{options: o, config: c, log: o.Log, ready: make(chan struct{})}
	r.table = newTable(c, o.Seed, o.Log)
	r.server = grpc.NewServer(
		grpc.UnknownServiceHandler(r.handle),
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.InitialWindowSize(streamWindowBytes),
		grpc.InitialConnWindowSize(connectionWindowBytes),
		grpc.ReadBufferSize(ioBufferBytes),
		grpc.WriteBufferSize(ioBufferBytes),
		// One that blocks in a stream is no loss: with all of them busy grpc
		// starts a goroutine, as it would without them.
		grpc.NumStreamWorkers(uint32(streamWorkersPerCPU*runtime.GOMAXPROCS(0))),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingEvery, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	return r, nil
}

// Start begins to serve and to discover, and returns at once.
func (r *Router) Start() { r.start.Do(r.run) }

func (r *Router) run() {
	parser, _ := discovery.ParserByName(r.config.Parser)       // New has
	policies, _ := discovery.PoliciesByName(r.config.Policies) // checked both
	var sources []discovery.Source
	for _, base := range r.options.APIServers {
		sources = append(sources, discovery.NewAPIServer(base))
	}
	if r.options.EtcdEndpoints != nil {
		r.etcd = discovery.NewEtcd(r.options.EtcdEndpoints)
		sources = append(sources, r.etcd)
	}
	r.discovery = discovery.StartRunner(discovery.RunnerConfig{
		Core: discovery.Config{
			Parser: parser, Policies: policies, WatchNull: r.config.WatchNull,
			Rand: newRand(r.options.Seed, r.options.Node),
		},
		Sources:     sources,
		SnapshotDir: r.options.SnapshotDir,
		Apply:       r.apply,
		Log:         r.log,
	})
	r.serving.Go(func() {
		if err := r.server.Serve(r.options.Listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
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

// Ready is closed when the router has a table, from a list or from disk.
func (r *Router) Ready() <-chan struct{} { return r.ready }

// Drain stops taking connections, lets what is under way finish and returns
// when all is done, or with ctx's error after stopping hard.
func (r *Router) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.server.GracefulStop()
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("drain the router: %w", ctx.Err())
	}
	r.Kill()
	<-done
	return err
}

// Kill stops at once: connections die, requests under way are lost.
func (r *Router) Kill() {
	r.stop.Do(func() {
		r.server.Stop()
		r.discovery.Close()
		r.table.close()
	})
	r.serving.Wait()
	r.uploads.Wait()
}
