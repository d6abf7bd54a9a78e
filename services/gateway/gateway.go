// Package gateway is the edge for the app and for the staff of customer
// operations: GraphQL over HTTP at POST /graphql, health at /healthz. It keeps
// nothing; every field is read from the service that owns it, found by name.
//
// The schema is schema.graphqls; package graph is generated from it.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"breakbank/platform/node"
)

//go:generate go tool gqlgen generate

const (
	// drainNotice is how long /healthz says 503 before connections are closed,
	// so that whoever polls it has seen it; as the gRPC services do.
	drainNotice = 200 * time.Millisecond

	// The server's own limits on a connection. A phone may dawdle, but not for
	// longer than it would wait for an answer.
	readHeaderLimit = 5 * time.Second
	readLimit       = 10 * time.Second
	writeLimit      = 15 * time.Second
	idleLimit       = 60 * time.Second
	maxHeaderBytes  = 16 << 10
)

// instance is a running gateway. Its methods may be called concurrently.
type instance struct {
	server   *http.Server
	listener net.Listener
	log      *slog.Logger

	draining atomic.Bool
	cancel   context.CancelFunc // Ends the requests in flight.
	stopped  chan struct{}      // Closed when Drain or Kill is done.
	stop     sync.Once
}

// New makes a gateway that serves HTTP/1.1 and HTTP/2 cleartext on
// env.Listener and finds its services through env.Dialer.
func New(ctx context.Context, env node.Env) (node.Instance, error) {
	if env.Dialer == nil {
		return nil, errors.New("gateway: no dialer to find services with")
	}
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &instance{
		listener: env.Listener,
		log:      env.Log,
		cancel:   cancel,
		stopped:  make(chan struct{}),
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	graphQL := newEndpoint(backends{dialer: env.Dialer}, env.Instance, env.Log)
	graphQL.accessLog = env.AccessLog
	mux.Handle("POST /graphql", graphQL)
	mux.HandleFunc("GET /healthz", g.health)
	g.server = &http.Server{
		Handler:           mux,
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderLimit,
		ReadTimeout:       readLimit,
		WriteTimeout:      writeLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(env.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	return g, nil
}

// Serve answers requests until Drain or Kill has ended, and then returns nil.
func (g *instance) Serve() error {
	if err := g.server.Serve(g.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("gateway: serve HTTP on %s: %w", g.listener.Addr(), err)
	}
	<-g.stopped
	return nil
}

// Drain says 503 at /healthz, then stops accepting, and waits for the requests
// in flight. When ctx ends first the rest are cut off, and its error returned.
func (g *instance) Drain(ctx context.Context) error {
	defer g.end()
	g.draining.Store(true)
	notice := time.NewTimer(drainNotice)
	defer notice.Stop()
	select {
	case <-notice.C:
	case <-g.stopped:
		return nil
	case <-ctx.Done():
	}
	if err := g.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("gateway: drain: %w", errors.Join(err, g.server.Close()))
	}
	return nil
}

// Kill closes the listener and every connection at once.
func (g *instance) Kill() {
	// Connections first: a request cut short must not answer.
	if err := g.server.Close(); err != nil {
		g.log.Debug("close the listener", "err", err)
	}
	g.end()
}

func (g *instance) end() {
	g.stop.Do(func() {
		g.cancel()
		close(g.stopped)
	})
}

func (g *instance) health(w http.ResponseWriter, _ *http.Request) {
	if g.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
