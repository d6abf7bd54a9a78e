package registry

import (
	"context"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/etcdhttp"
	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const (
	// peerReadLimit bounds one request of another member, such as a snapshot.
	peerReadLimit = 5 * time.Minute
	// peerStopLimit bounds how long requests of other members may take to end
	// when a member stops.
	peerStopLimit = time.Second
	// clientPingsMin is the least time between a client's own pings.
	clientPingsMin = 5 * time.Second
)

// memberServer is a running etcd server with what serves its clients (gRPC and
// nothing else) and its peers.
//
// etcd's own assembly, package embed, would bring a JSON gateway, HTTP for
// clients, TLS, discovery, tracing, and locks and elections as services. Nobody
// here uses them, and they are two megabytes of the program.
type memberServer struct {
	Server  *etcdserver.EtcdServer
	clients net.Listener
	peers   *http.Server
	serving sync.WaitGroup // both, until stop

	mu      sync.Mutex
	rpc     *grpc.Server // what serves clients; nil until the member is ready
	stopped bool
}

// startServer starts a member that listens for clients and peers at the given
// addresses. It returns before that has joined or serves.
func startServer(cfg config.ServerConfig, clientAddr, peerAddr string) (_ *memberServer, err error) {
	peers, err := transport.NewListenerWithOpts(peerAddr, "http",
		transport.WithTimeout(rafthttp.ConnReadTimeout, rafthttp.ConnWriteTimeout))
	if err != nil {
		return nil, err
	}
	clients, err := transport.NewListenerWithOpts(clientAddr, "http")
	if err != nil {
		peers.Close()
		return nil, err
	}
	server, err := etcdserver.NewServer(cfg)
	if err != nil {
		peers.Close()
		clients.Close()
		return nil, err
	}
	server.Start()
	s := &memberServer{Server: server, clients: clients, peers: &http.Server{
		Handler:     etcdhttp.NewPeerHandler(cfg.Logger, server),
		ReadTimeout: peerReadLimit,
		ErrorLog:    log.New(io.Discard, "", 0), // of what others send
	}}
	s.serving.Go(func() { s.ended("peers", s.peers.Serve(peers)) })
	s.serving.Go(func() { s.ended("clients", s.serveClients()) })
	return s, nil
}

// serveClients serves them once the member has joined, until stop. Until then
// their connections wait in the listener.
func (s *memberServer) serveClients() error {
	select {
	case <-s.Server.StoppingNotify():
		return nil
	case <-s.Server.ReadyNotify():
	}
	rpc := s.newRPC()
	if rpc == nil {
		return nil
	}
	return rpc.Serve(s.clients)
}

// newRPC makes the gRPC server; nil after stop. Not before the member is ready:
// etcd's quota would look at a database that a snapshot may yet replace.
func (s *memberServer) newRPC() *grpc.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.rpc = v3rpc.Server(s.Server, nil, nil,
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientPingsMin}),
		// The server must not find a dark connection, neither by pings nor by
		// TCP_USER_TIMEOUT, which gRPC sets where it pings: whether the client
		// notices is what is being shown.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}),
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(s.survive))
	return s.rpc
}

// survive answers what etcd panics about: a member that has just been taken out
// of the registry and is asked about itself before it has ended. Other panics
// are none of this function's business.
func (s *memberServer) survive(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		switch reason := recover(); {
		case reason == nil:
		case s.Server.IsMemberExist(s.Server.MemberID()):
			panic(reason)
		default:
			err = status.Error(codes.Unavailable, "this member has been taken out of the registry")
		}
	}()
	return handle(ctx, req)
}

// ended reports serving that ended though nobody stopped it.
func (s *memberServer) ended(whom string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || s.stopped || errors.Is(err, http.ErrServerClosed) {
		return
	}
	s.Server.Logger().Error("an etcd member no longer serves", zap.String("whom", whom), zap.Error(err))
}

// stop ends the member as a crash would: clients lose their connections at
// once, and leadership is not handed over. Peers are served until etcd has
// ended, which may still read what they send.
func (s *memberServer) stop() {
	s.mu.Lock()
	s.stopped = true
	rpc := s.rpc
	s.mu.Unlock()
	s.clients.Close()
	if rpc != nil {
		rpc.Stop()
	}
	s.Server.HardStop()
	ctx, cancel := context.WithTimeout(context.Background(), peerStopLimit)
	defer cancel()
	if s.peers.Shutdown(ctx) != nil {
		_ = s.peers.Close() // Of no listener any more: it does not fail.
	}
	s.serving.Wait()
}
