package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
)

// Bounds of an admin listener. Who uses one is a control process, a scraper, a
// few people; everything beyond is a mistake or worse.
const (
	maxConnections = 512
	maxStreams     = 250 // a connection
	maxHeaderBytes = 16 << 10
	maxBodyBytes   = 64 << 10 // of a plain request; gRPC has a limit of its own, 4 MiB a message

	readHeaderLimit = 5 * time.Second
	idleLimit       = 60 * time.Second
	// answerLimit is how long the body of a plain request may take to come in
	// and its answer to go out. gRPC streams, which last, have no such limit:
	// a peer that has gone is noticed by pings.
	answerLimit = 15 * time.Second
	pingAfter   = 10 * time.Second
	pingLimit   = 5 * time.Second
	// handlersLimit is how long a closed server waits for handlers to notice
	// that their requests are over.
	handlersLimit = time.Second
)

// Config says what an admin listener offers, and to whom.
type Config struct {
	// Listener is the server's from now on, whatever Serve returns.
	Listener net.Listener
	// Token is asked for, unless it is empty; then the listener must be on
	// loopback, and only requests that name this machine are answered.
	Token string
	// Name and Role are the process's, Build the program's version.
	Name, Role, Build string
	// Live and Ready say at /healthz and /readyz what is wrong, nil: nothing.
	// Both are open to all, but only a caller with the token is told what. They
	// must not block.
	Live, Ready func() error
	// Gatherer is what /metrics offers besides the listener's own.
	Gatherer prometheus.Gatherer
	// GRPC serves requests with gRPC's content type; nil: they are refused.
	GRPC *grpc.Server
	// Handlers are served at patterns of http.ServeMux, behind the token.
	Handlers map[string]http.Handler
	Log      *slog.Logger
}

// Server is an admin listener. Close may be called from any goroutine.
type Server struct {
	http     *http.Server
	grpc     *grpc.Server
	addr     net.Addr
	serving  sync.WaitGroup
	err      error // why serving ended; after serving
	handling handling
}

// Serve serves HTTP/1.1, HTTP/2 without TLS, and gRPC on one listener, until
// Close:
//
//	/healthz       200 while the process lives, else 503
//	/readyz        200 while it does its work, else 503
//	/metrics       for Prometheus
//	/debug/pprof/  profiles
//	gRPC, Handlers as configured
//
// A request without the token is answered with 401 (gRPC: Unauthenticated) and
// nothing else, whatever it asks for. On a listener without one, a request
// that names another host, and one that a browser sends for another site, are
// answered with 403 (PermissionDenied). A head that is too large: 431; a body:
// 413. No answer and no line of the log holds what a client has sent.
//
// It refuses an address that others can reach when there is no token.
func Serve(c Config) (*Server, error) {
	if c.Listener.Addr().Network() != "unix" { // a file has its own permissions
		if err := CheckExposure(c.Listener.Addr().String(), c.Token); err != nil {
			return nil, errors.Join(err, c.Listener.Close())
		}
	}
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	refusals := newRefusals(c.Log)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &Server{grpc: c.GRPC, addr: c.Listener.Addr()}
	s.http = &http.Server{
		Handler:           s.tracked(newGuard(c, refusals)),
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingLimit, WriteByteTimeout: answerLimit,
		},
		ErrorLog: log.New(serverErrors{c.Log}, "", 0),
	}
	s.serving.Go(func() {
		if err := s.http.Serve(netutil.LimitListener(c.Listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serve the admin listener %s: %w", s.addr, err)
			c.Log.Error("the admin listener has ended", "error", err)
		}
	})
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.addr }

// Close takes no more requests and waits for those under way, until ctx ends;
// then it cuts them off. Streams last until somebody ends them: end those of
// one's own first. It returns why serving had ended before, if it had.
func (s *Server) Close(ctx context.Context) error {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // it cannot do better than close everything
	}
	if s.grpc != nil {
		s.grpc.Stop() // GracefulStop knows nothing of net/http's connections
	}
	s.serving.Wait()
	timer := time.NewTimer(handlersLimit)
	defer timer.Stop()
	select {
	case <-s.handling.over():
		return s.err
	case <-timer.C:
		return errors.Join(s.err, fmt.Errorf("close the admin listener %s: requests are still handled %v after they were cut off", s.addr, handlersLimit))
	}
}

func (s *Server) tracked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.handling.begin() {
			panic(http.ErrAbortHandler) // its connection is closed already
		}
		defer s.handling.end()
		h.ServeHTTP(w, r)
	})
}

// serverErrors takes what net/http would log. Most of it is about clients, and
// may quote them; what is about this machine is logged.
type serverErrors struct{ log *slog.Logger }

func (s serverErrors) Write(line []byte) (int, error) {
	if text := string(line); strings.HasPrefix(text, "http: Accept error: ") {
		s.log.Warn("the admin listener takes no connections", "error", strings.TrimSpace(strings.TrimPrefix(text, "http: Accept error: ")))
	}
	return len(line), nil
}
