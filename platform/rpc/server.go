package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// Bounds of a server.
const (
	// DefaultDrainFor is how long a server that says NOT_SERVING goes on
	// serving, so that those who listen can turn away first.
	DefaultDrainFor = 200 * time.Millisecond
	// finishWait bounds how long a drained server waits for calls in flight:
	// longer than a card network's primary gets (1.2 s).
	finishWait = 3 * time.Second
	// handlersWait bounds how long a server that cuts its calls off waits for
	// their handlers to notice: their contexts have ended, and what a handler
	// does without a context, such as a synced write, takes milliseconds.
	handlersWait = time.Second
	// greetingWait bounds how long a client may take to begin to speak HTTP/2.
	greetingWait = 10 * time.Second
	// maxHeaderBytes bounds the metadata of a call, counted as HTTP/2 does; it
	// is what the routers let through.
	maxHeaderBytes = 64 << 10
	// keepaliveMin is the shortest ping interval a server puts up with.
	keepaliveMin = 5 * time.Second
)

// ServerConfig says who serves, and where.
type ServerConfig struct {
	// Service and Instance are what requests must be meant for.
	Service, Instance string
	Listener          net.Listener
	Log               *slog.Logger
	// Edge says that callers are outside the bank: they may name a request by
	// [OutsideRequestID].
	Edge bool
	// AccessLog asks for a line in Log for each call; see [LogCall].
	AccessLog bool
	// DrainFor is the time between NOT_SERVING and the stop, DefaultDrainFor
	// when 0.
	DrainFor time.Duration
}

// Server is the gRPC server of one instance: health protocol, reflection,
// identity check, request ids, provenance, metrics and graceful drain. Its methods are safe for
// concurrent use, but for Registrar and OnClose, which belong before Serve.
type Server struct {
	config  ServerConfig
	grpc    *grpc.Server
	health  *health.Server
	refused atomic.Int64

	// ending is done once a drained server takes no more calls.
	ending context.Context
	end    context.CancelFunc

	load      *load
	meter     *Meter
	stopping  atomic.Bool
	cutOnce   sync.Once
	abandoned chan struct{} // closed when handlers outlive the server
	closeOnce sync.Once
	onClose   []func()
}

// NewServer returns a server that does not serve yet.
func NewServer(config ServerConfig) *Server {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.DrainFor == 0 {
		config.DrainFor = DefaultDrainFor
	}
	s := &Server{config: config, health: health.NewServer(), abandoned: make(chan struct{}), load: newLoad(time.Now()), meter: MeterOf(config.Service)}
	s.ending, s.end = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(
		grpc.WaitForHandlers(true),
		grpc.ConnectionTimeout(greetingWait),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMin, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
	)
	healthv1.RegisterHealthServer(s.grpc, s.health)
	s.health.SetServingStatus(config.Service, healthv1.HealthCheckResponse_SERVING)
	reflection.Register(s.grpc)
	return s
}

// Registrar is where the instance registers its gRPC services.
func (s *Server) Registrar() grpc.ServiceRegistrar { return s.grpc }

// OnClose adds what is to be closed after the server has stopped, drained or
// killed, and no handler runs any more; the last added goes first.
func (s *Server) OnClose(f func()) { s.onClose = append(s.onClose, f) }

// Refused is the number of requests refused because they were meant for
// another service or instance.
func (s *Server) Refused() int64 { return s.refused.Load() }

// Serve serves until Drain or Kill, then returns nil; or returns the error
// that ended it.
func (s *Server) Serve() error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(s.config.Listener) }()
	var err error
	select {
	case err = <-served:
	case <-s.abandoned: // gRPC's Serve returns with the last handler.
	}
	if err == nil || s.stopping.Load() || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return fmt.Errorf("serve %s at %s: %w", s.config.Service, s.config.Listener.Addr(), err)
}

// Drain says NOT_SERVING, goes on serving for DrainFor, then takes no more
// calls, waits for those in flight and stops. When ctx ends, or calls take
// longer than a few seconds, those left are cut off, as by Kill, and an error
// says so.
func (s *Server) Drain(ctx context.Context) error {
	s.stopping.Store(true)
	s.health.Shutdown()
	if err := pause(ctx, s.config.DrainFor); err != nil {
		s.cut()
		return fmt.Errorf("drain %s: %w", s.config.Instance, err)
	}
	s.end()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.grpc.GracefulStop()
	}()
	ctx, cancel := context.WithTimeout(ctx, finishWait)
	defer cancel()
	select {
	case <-finished:
		s.close()
		return nil
	case <-ctx.Done():
		// The graceful stop ends with the connections, once the handlers that
		// were cut off have noticed.
		s.cut()
		return fmt.Errorf("drain %s: calls in flight cut off: %w", s.config.Instance, ctx.Err())
	}
}

// Kill stops at once: connections die, calls in flight with them. It waits for
// their handlers to notice, a second at most. If some then still run, what
// OnClose added stays open until they have returned, and Kill does not wait
// for that.
func (s *Server) Kill() {
	s.stopping.Store(true)
	s.cut()
}

// cut ends connections and calls, and closes. Nothing is closed under a
// handler: stand-in's pebble panics when it is used after that.
func (s *Server) cut() {
	s.cutOnce.Do(func() {
		quiet := make(chan struct{})
		go func() {
			defer close(quiet)
			s.grpc.Stop()
		}()
		timer := time.NewTimer(handlersWait)
		defer timer.Stop()
		select {
		case <-quiet:
			s.close()
		case <-timer.C:
			s.config.Log.Error("calls that were cut off are still handled; what they use stays open until they end",
				"instance", s.config.Instance, "after", handlersWait)
			close(s.abandoned)
			go func() {
				<-quiet
				s.close()
			}()
		}
	})
}

// close runs the OnClose functions, once.
func (s *Server) close() {
	s.closeOnce.Do(func() {
		for i := len(s.onClose) - 1; i >= 0; i-- {
			s.onClose[i]()
		}
	})
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
