// Package apiserver speaks the Kubernetes API dialect over HTTP and JSON in
// front of the registry: what routers, node agents, kubectl and client-go
// read.
//
// It is built like the kube-apiserver of 2017 in the ways that mattered then.
// Each kind of object has an etcd connection of its own, so that a connection
// gone dark stalls that kind and no other. A read without a resourceVersion
// goes to etcd over that connection; a watch is served from a cache that the
// connection feeds. Objects pass through as the bytes that lie in etcd.
//
// Nothing here knows about faults: darkness is something that happens to the
// address that Config.EtcdEndpoint returns.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"breakbank/platform/registry"
)

const (
	// defaultReadLimit is how long a request may wait for etcd before it is
	// answered with 504.
	defaultReadLimit = 10 * time.Second
	// readHeaderTimeout bounds how long a client may take to say what it
	// wants, readBodyTimeout how long it may take to send a body.
	readHeaderTimeout = 10 * time.Second
	readBodyTimeout   = 10 * time.Second
	// idleTimeout bounds how long a connection may lie unused, as long as in
	// the kube-apiserver and in Go's HTTP clients.
	idleTimeout = 90 * time.Second
	// maxHeaderBytes bounds the head of a request.
	maxHeaderBytes = 64 << 10
)

// The etcd clients there are; see Config.EtcdClient.
const (
	// ClientPinned is the client of 2017: one endpoint, no keepalive, no
	// endpoint sync. It stays with its connection for as long as that is
	// ESTABLISHED, whether or not it carries anything.
	ClientPinned = "pinned"
	// ClientModern notices a dead connection by keepalives and turns to the
	// next endpoint.
	ClientModern = "modern"
)

// Config says what API server to start.
type Config struct {
	Name     string       // such as "apiserver-a"
	Zone     string       // "a", "b" or "c"
	Listener net.Listener // closed by the server once it has started
	// EtcdEndpoint returns the address (host:port) of etcd for one resource's
	// connection; with ClientModern it may be several, separated by commas.
	// It is called once for each resource.
	EtcdEndpoint func(resource string) string
	EtcdClient   string        // ClientPinned or ClientModern; empty means pinned
	ReadLimit    time.Duration // for reads and writes of etcd; 0 means 10 s
	Log          *slog.Logger  // nil discards
}

// Server is a running API server. Its methods are safe for concurrent use.
type Server struct {
	cfg   Config
	kinds map[string]*kindServer // by resource
	http  *http.Server
	stop  context.CancelFunc
	// running are the cache feeds, the accept loop and the connections.
	running sync.WaitGroup
}

// Start serves on cfg.Listener until Close. It returns at once: each kind
// becomes ready when its first list from etcd has arrived.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.ReadLimit == 0 {
		cfg.ReadLimit = defaultReadLimit
	}
	if cfg.EtcdClient == "" {
		cfg.EtcdClient = ClientPinned
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("apiserver", cfg.Name)
	ctx, stop := context.WithCancel(ctx)
	s := &Server{cfg: cfg, kinds: make(map[string]*kindServer), stop: stop}
	for _, kind := range registry.Kinds {
		k, err := newKindServer(kind, cfg)
		if err != nil {
			stop()
			return nil, errors.Join(fmt.Errorf("start API server %s: %w", cfg.Name, err), s.closeKinds())
		}
		s.kinds[kind.Resource] = k
	}
	for _, k := range s.kinds {
		s.running.Go(func() { k.feed(ctx) })
	}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.handle),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.countConn,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	s.running.Go(func() {
		if err := s.http.Serve(cfg.Listener); !errors.Is(err, http.ErrServerClosed) {
			cfg.Log.Error("API server stopped accepting connections", "error", err)
		}
	})
	return s, nil
}

// countConn makes Close wait for the connections' goroutines. New ones are
// reported by the accept loop, which itself is waited for.
func (s *Server) countConn(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// Close drops all connections at once, those of watches and those to etcd, and
// waits until nothing of the server runs any more.
func (s *Server) Close() error {
	// The connections go first: nobody is to hear how the rest ends.
	errs := []error{s.http.Close()}
	s.stop()
	errs = append(errs, s.closeKinds())
	s.running.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close API server %s: %w", s.cfg.Name, err)
	}
	return nil
}

func (s *Server) closeKinds() error {
	var errs []error
	for _, k := range s.kinds {
		errs = append(errs, k.etcd.Close())
	}
	return errors.Join(errs...)
}

// CacheRevision returns the revision up to which a resource's watch cache
// knows the registry; 0 before it is ready or for an unknown resource. On a
// dark connection it stands still.
func (s *Server) CacheRevision(resource string) int64 {
	k, ok := s.kinds[resource]
	if !ok {
		return 0
	}
	return k.cache.currentRevision()
}

// Ready reports whether a resource's watch cache has had its first list.
func (s *Server) Ready(resource string) bool {
	k, ok := s.kinds[resource]
	return ok && k.cache.isReady()
}
