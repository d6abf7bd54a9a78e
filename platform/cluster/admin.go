package cluster

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/platform/fault"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	// minStateInterval bounds how often one watcher is told the state.
	minStateInterval = 100 * time.Millisecond
	// adminGrace is how long calls may still run when the platform closes.
	adminGrace = 2 * time.Second
)

// adminServer is the control API over a platform.
type adminServer struct {
	adminv1.UnimplementedAdminServiceServer
	platform *Platform
	operator *operator
	closing  chan struct{}
}

// reserveAdmin takes the control API's address first of all, so that a taken
// port is known before anything else starts.
func (p *Platform) reserveAdmin(context.Context) error {
	var (
		l   net.Listener
		err error
	)
	if p.topology.AdminAddress == "" {
		l, err = p.ports.Listen()
	} else {
		l, err = net.Listen("tcp4", p.topology.AdminAddress)
	}
	if err != nil {
		return err
	}
	p.adminListener, p.adminAddr = l, l.Addr().String()
	p.onClose("control API's address", l.Close)
	return nil
}

func (p *Platform) serveAdmin() {
	s := &adminServer{platform: p, operator: p.newOperator(), closing: make(chan struct{})}
	server := grpc.NewServer()
	adminv1.RegisterAdminServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(p.adminListener); err != nil {
			p.log.Error("serving the control API", "error", err)
		}
	}()
	p.onClose("control API", func() error {
		close(s.closing)
		patience := time.AfterFunc(adminGrace, server.Stop)
		defer patience.Stop()
		server.GracefulStop()
		<-done
		return s.operator.Close()
	})
}

func (s *adminServer) GetTopology(context.Context, *adminv1.GetTopologyRequest) (*adminv1.GetTopologyResponse, error) {
	p := s.platform
	resp := &adminv1.GetTopologyResponse{
		Members: p.memberStates(),
		Book:    &adminv1.Part{Name: "book", Address: p.book.Address()},
		Nats:    &adminv1.Part{Name: "nats", Address: p.nats.URL()},
	}
	for _, a := range p.apiServers {
		resp.ApiServers = append(resp.ApiServers, &adminv1.Part{Name: a.name, Address: a.address, Zone: a.zone})
	}
	for _, n := range p.topology.Nodes {
		resp.Nodes = append(resp.Nodes, &adminv1.Part{Name: n.Name, Address: p.routerAddrs[n.Name], Zone: n.Zone})
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
	err := s.operator.deploy(ctx, req.GetService(), req.GetVersion())
	return &adminv1.DeployResponse{Version: req.GetVersion(), TookMs: time.Since(begun).Milliseconds()}, failed("deploy", err)
}

func (s *adminServer) Rollback(ctx context.Context, req *adminv1.RollbackRequest) (*adminv1.RollbackResponse, error) {
	begun := time.Now()
	version, err := s.operator.rollback(ctx, req.GetService())
	return &adminv1.RollbackResponse{Version: version, TookMs: time.Since(begun).Milliseconds()}, failed("roll back", err)
}

func (s *adminServer) Scale(ctx context.Context, req *adminv1.ScaleRequest) (*adminv1.ScaleResponse, error) {
	return &adminv1.ScaleResponse{}, failed("scale", s.operator.scale(ctx, req.GetService(), req.GetReplicas()))
}

func (s *adminServer) DeleteService(ctx context.Context, req *adminv1.DeleteServiceRequest) (*adminv1.DeleteServiceResponse, error) {
	return &adminv1.DeleteServiceResponse{}, failed("delete", s.operator.deleteService(ctx, req.GetService()))
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
		Proof: f.Proof.Count, Evidence: f.Proof.Evidence,
	}
	if !f.ClearedAt.IsZero() {
		state.ClearedAt = timestamppb.New(f.ClearedAt)
	}
	return state
}
