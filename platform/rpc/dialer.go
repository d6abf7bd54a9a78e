package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Bounds of a channel to the router.
const (
	// sendWait is how long a call waits for a connection before it fails as
	// never sent.
	sendWait = 500 * time.Millisecond
	// backoffMin and backoffMax bound the pause between two connection
	// attempts: a router restarts in milliseconds, and is next door.
	backoffMin = 20 * time.Millisecond
	backoffMax = 200 * time.Millisecond
	// connectTimeout bounds one connection attempt up to the HTTP/2 preface.
	// The node agent owns the router's socket, so that while the router is
	// down connections are accepted by the kernel and stay silent; grpc-go
	// would wait 20 s.
	connectTimeout = 300 * time.Millisecond
	// keepaliveTime is the shortest that grpc-go lets a client ask for.
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
)

// ErrClosed is returned by the dial methods of a closed dialer.
var ErrClosed = errors.New("dialer is closed")

// DialerConfig says who dials, and through what.
type DialerConfig struct {
	// RouterAddr is the host:port of the node's router.
	RouterAddr string
	// Plane, if there is one, takes the router's place. The dialer does not
	// close it.
	Plane Plane
	// Service and Instance are the caller's.
	Service, Instance string
	Log               *slog.Logger
}

// Dialer makes the connections of one instance. It is safe for concurrent
// use.
type Dialer struct {
	config DialerConfig

	mu     sync.Mutex
	closed bool
	conns  map[target]*grpc.ClientConn
}

// target is what a connection is cached by.
type target struct{ service, addr string }

// planeAddr stands for an address where the dialer's plane finds one.
const planeAddr = "an instance of its plane's choice"

// NewDialer returns a dialer; the caller closes it.
func NewDialer(config DialerConfig) *Dialer {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Dialer{config: config, conns: make(map[target]*grpc.ClientConn)}
}

// Dial returns the channel to a service, by name through the node's router, or
// over the plane that has taken its place. It does not wait for a connection:
// calls do. The channel is shared and belongs to the dialer.
func (d *Dialer) Dial(_ context.Context, service string) (*grpc.ClientConn, error) {
	if d.config.Plane != nil {
		return d.channel(target{service: service, addr: planeAddr})
	}
	return d.channel(target{service: service, addr: d.config.RouterAddr})
}

// DialFixed returns the channel to a service at a known address, past the
// router. The channel is shared and belongs to the dialer.
func (d *Dialer) DialFixed(_ context.Context, service, addr string) (*grpc.ClientConn, error) {
	return d.channel(target{service: service, addr: addr})
}

func (d *Dialer) channel(to target) (*grpc.ClientConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("dial %s: %w", to.service, ErrClosed)
	}
	if conn, ok := d.conns[to]; ok {
		return conn, nil
	}
	conn, err := d.client(to)
	if err != nil {
		return nil, fmt.Errorf("dial %s at %s: %w", to.service, to.addr, err)
	}
	conn.Connect()
	d.conns[to] = conn
	return conn, nil
}

func (d *Dialer) client(to target) (*grpc.ClientConn, error) {
	caller := &caller{target: to, log: d.config.Log.With("to", to.service, "addr", to.addr)}
	classed := []grpc.DialOption{grpc.WithUnaryInterceptor(caller.unary), grpc.WithStreamInterceptor(caller.stream)}
	if to.addr != planeAddr {
		return grpc.NewClient("passthrough:///"+to.addr, slices.Concat(d.options(to), classed)...)
	}
	found := d.config.Plane.Channel(to.service)
	if found.Routed {
		classed = []grpc.DialOption{grpc.WithUnaryInterceptor(routedUnary), grpc.WithStreamInterceptor(routedStream)}
	}
	return grpc.NewClient(found.Target, slices.Concat(d.options(to), classed, found.Options)...)
}

// options are those of every channel; a plane may say otherwise.
func (d *Dialer) options(to target) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority(to.service),
		grpc.WithUserAgent(d.config.Service + "/" + d.config.Instance),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: backoffMin, Multiplier: 1.6, Jitter: 0.2, MaxDelay: backoffMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		// Which calls may be repeated is decided here, not by a resolver.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithIdleTimeout(0),
		grpc.WithStatsHandler(wireWatcher{}),
	}
}

// Close closes all channels; calls in flight on them fail.
func (d *Dialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for to, conn := range d.conns {
		if err := conn.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close channel to %s: %w", to.service, err))
		}
	}
	return errors.Join(errs...)
}
