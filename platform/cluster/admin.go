package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/fault"
	"breakbank/platform/telemetry"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// minStateInterval bounds how often one watcher is told the state.
	minStateInterval = 100 * time.Millisecond
	// adminGrace is how long calls may still run when the platform closes.
	adminGrace = 2 * time.Second
)

// adminServer is the control API over a platform. Until that is open, calls are
// answered with Unavailable and why.
type adminServer struct {
	adminv1.UnimplementedAdminServiceServer
	address string
	http    *telemetry.Server
	closing chan struct{}

	mu       sync.Mutex
	parts    *Platform // nil until its parts are connected to
	platform *Platform // the same, nil until open
	starting string    // what it waits for until then
}

// adminConfig says where the control API is offered, and by whom.
type adminConfig struct {
	Listener net.Listener
	Topology Topology
	// Name and Role are the process's.
	Name, Role, Build string
	Gatherer          prometheus.Gatherer
	Log               *slog.Logger
}

// newAdminServer starts to serve. The listener is the server's.
func newAdminServer(c adminConfig) (*adminServer, error) {
	token, err := c.Topology.token()
	if err != nil {
		return nil, errors.Join(err, c.Listener.Close())
	}
	s := &adminServer{address: c.Listener.Addr().String(), closing: make(chan struct{}), starting: "starting"}
	calls := grpc.NewServer(grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream))
	adminv1.RegisterAdminServiceServer(calls, s)
	s.http, err = telemetry.Serve(telemetry.Config{
		Listener: c.Listener, Token: token, Name: c.Name, Role: c.Role, Build: c.Build,
		Ready: s.ready, Gatherer: c.Gatherer, GRPC: calls, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open lets calls through to a platform that is up.
func (s *adminServer) open(p *Platform) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts, s.platform = p, p
}

// connected lets through what takes nothing but the parts. Without it a platform
// that cannot come up, such as one that is held, could not be reset either.
func (s *adminServer) connected(p *Platform) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = p
}

// partsOnly are the calls that take nothing but the parts.
var partsOnly = []string{adminv1.AdminService_Reset_FullMethodName, adminv1.AdminService_Hold_FullMethodName}

// ofParts is the platform of a call that takes nothing but its parts.
func (s *adminServer) ofParts() (*Platform, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts == nil {
		return nil, status.Error(codes.Unavailable, "the platform's parts are not connected to yet")
	}
	return s.parts, nil
}

// says what is being waited for.
func (s *adminServer) says(starting string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = starting
}

// opened is an Unavailable error until the platform is up.
func (s *adminServer) opened() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.platform == nil {
		return status.Error(codes.Unavailable, "the platform is not up yet: "+s.starting)
	}
	return nil
}

// ready says whether everything that the topology names is there.
func (s *adminServer) ready() error {
	if err := s.opened(); err != nil {
		return errors.New(status.Convert(err).Message())
	}
	if missing := s.platform.missing(); len(missing) > 0 {
		return errors.New("missing: " + strings.Join(missing, ", "))
	}
	return nil
}

func (s *adminServer) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := s.opened(); err != nil && !slices.Contains(partsOnly, info.FullMethod) {
		return nil, err
	}
	return handle(ctx, req)
}

func (s *adminServer) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := s.opened(); err != nil {
		return err
	}
	return handle(srv, stream)
}

// Close ends watches, lets other calls finish for a moment, and stops.
func (s *adminServer) Close() error {
	close(s.closing)
	ctx, cancel := context.WithTimeout(context.Background(), adminGrace)
	defer cancel()
	return s.http.Close(ctx)
}

func (s *adminServer) GetTopology(context.Context, *adminv1.GetTopologyRequest) (*adminv1.GetTopologyResponse, error) {
	p := s.platform
	resp := &adminv1.GetTopologyResponse{
		Members:    p.memberStates(),
		Book:       &adminv1.Part{Name: RoleBook, Address: p.book},
		Nats:       &adminv1.Part{Name: RoleNATS, Address: p.nats},
		Layout:     p.topology.layout(),
		Generation: p.topology.Generation,
		Unready:    p.missing(),
	}
	for _, a := range p.apiServers {
		resp.ApiServers = append(resp.ApiServers, &adminv1.Part{Name: a.name, Address: a.address, Zone: a.zone})
	}
	for _, n := range p.topology.Nodes {
		resp.Nodes = append(resp.Nodes, &adminv1.Part{Name: n.Name, Address: p.routers[n.Name], Zone: n.Zone})
	}
	for _, e := range p.edges {
		resp.Edges = append(resp.Edges, &adminv1.Edge{Service: e.service, Node: e.node, Zone: e.zone, Address: e.address})
	}
	return resp, nil
}

func (s *adminServer) WatchState(req *adminv1.WatchStateRequest, stream grpc.ServerStreamingServer[adminv1.WatchStateResponse]) error {
	tick := time.NewTicker(max(minStateInterval, time.Duration(req.GetIntervalMs())*time.Millisecond))
	defer tick.Stop()
	for {
		if err := stream.Send(s.platform.state()); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-s.closing:
			return status.Error(codes.Unavailable, "the platform is closing")
		case <-tick.C:
		}
	}
}

func (s *adminServer) GrowRegistry(req *adminv1.GrowRegistryRequest, stream grpc.ServerStreamingServer[adminv1.GrowRegistryResponse]) error {
	now := len(s.platform.registry.Members())
	if want := int(req.GetMembers()); want <= now || want > 9 {
		return status.Errorf(codes.InvalidArgument, "the registry has %d members; it can grow to at most 9, not to %d", now, want)
	}
	err := s.platform.registry.Grow(stream.Context(), int(req.GetMembers()), func(name string, size int) {
		// A caller that has gone away is noticed by Grow through the context.
		_ = stream.Send(&adminv1.GrowRegistryResponse{Added: name, Members: int32(size)})
	})
	return failed("grow the registry", err)
}

func (s *adminServer) Deploy(ctx context.Context, req *adminv1.DeployRequest) (*adminv1.DeployResponse, error) {
	begun := time.Now()
	err := s.platform.operator.deploy(ctx, req.GetService(), req.GetVersion())
	return &adminv1.DeployResponse{Version: req.GetVersion(), TookMs: time.Since(begun).Milliseconds()}, failed("deploy", err)
}

func (s *adminServer) Rollback(ctx context.Context, req *adminv1.RollbackRequest) (*adminv1.RollbackResponse, error) {
	begun := time.Now()
	version, err := s.platform.operator.rollback(ctx, req.GetService())
	return &adminv1.RollbackResponse{Version: version, TookMs: time.Since(begun).Milliseconds()}, failed("roll back", err)
}

func (s *adminServer) Scale(ctx context.Context, req *adminv1.ScaleRequest) (*adminv1.ScaleResponse, error) {
	return &adminv1.ScaleResponse{}, failed("scale", s.platform.operator.scale(ctx, req.GetService(), req.GetReplicas()))
}

func (s *adminServer) DeleteService(ctx context.Context, req *adminv1.DeleteServiceRequest) (*adminv1.DeleteServiceResponse, error) {
	return &adminv1.DeleteServiceResponse{}, failed("delete", s.platform.operator.deleteService(ctx, req.GetService()))
}

func (s *adminServer) RestartRouter(ctx context.Context, req *adminv1.RestartRouterRequest) (*adminv1.RestartRouterResponse, error) {
	return &adminv1.RestartRouterResponse{}, failed("restart router", s.platform.RestartRouter(ctx, req.GetNode()))
}

func (s *adminServer) RestartAPIServer(ctx context.Context, req *adminv1.RestartAPIServerRequest) (*adminv1.RestartAPIServerResponse, error) {
	return &adminv1.RestartAPIServerResponse{}, failed("restart API server", s.platform.RestartAPIServer(ctx, req.GetName()))
}

func (s *adminServer) ListFaults(context.Context, *adminv1.ListFaultsRequest) (*adminv1.ListFaultsResponse, error) {
	resp := &adminv1.ListFaultsResponse{Injected: s.platform.faults()}
	for _, k := range fault.Table {
		resp.Kinds = append(resp.Kinds, &adminv1.FaultKind{Name: k.Name, About: k.About, Targets: k.Targets(s.platform)})
	}
	return resp, nil
}

func (s *adminServer) InjectFault(ctx context.Context, req *adminv1.InjectFaultRequest) (*adminv1.InjectFaultResponse, error) {
	f, err := s.platform.injector.Inject(ctx, req.GetName(), req.GetTarget(), req.GetParameters())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &adminv1.InjectFaultResponse{Fault: faultState(f)}, nil
}

func (s *adminServer) ClearFault(ctx context.Context, req *adminv1.ClearFaultRequest) (*adminv1.ClearFaultResponse, error) {
	f, err := s.platform.injector.Clear(ctx, req.GetName(), req.GetTarget())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &adminv1.ClearFaultResponse{Fault: faultState(f)}, nil
}

func (s *adminServer) SearchLogs(ctx context.Context, req *adminv1.SearchLogsRequest) (*adminv1.SearchLogsResponse, error) {
	if req.GetText() == "" {
		return nil, status.Error(codes.InvalidArgument, "no text to look for")
	}
	found, err := s.platform.searchLogs(ctx, req.GetPart(), req.GetText())
	return found, failed("search the logs", err)
}

func (s *adminServer) Reset(ctx context.Context, req *adminv1.ResetRequest) (*adminv1.ResetResponse, error) {
	p, err := s.ofParts()
	if err != nil {
		return nil, err
	}
	return &adminv1.ResetResponse{}, failed("reset", p.reset(ctx, req.GetGeneration(), req.GetSettings()))
}

func (s *adminServer) Hold(ctx context.Context, _ *adminv1.HoldRequest) (*adminv1.HoldResponse, error) {
	p, err := s.ofParts()
	if err != nil {
		return nil, err
	}
	return &adminv1.HoldResponse{}, failed("hold", p.hold(ctx))
}

// failed turns an error into a status that says what was being done.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	return status.Error(codes.FailedPrecondition, fmt.Sprintf("%s: %v", doing, err))
}

func faultState(f fault.Injected) *adminv1.Fault {
	state := &adminv1.Fault{
		Name: f.Name, Target: f.Target, InjectedAt: timestamppb.New(f.InjectedAt),
		Proof: f.Proof.Count, Evidence: f.Proof.Evidence, Momentary: f.Momentary,
	}
	if !f.ClearedAt.IsZero() {
		state.ClearedAt = timestamppb.New(f.ClearedAt)
	}
	return state
}
