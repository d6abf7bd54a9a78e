package replay

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
)

// fakePlatform is a control API and three edges in memory. It remembers what
// was asked of it, and its routers go down and live as the script says. The
// real platform is tested where it is assembled.
type fakePlatform struct {
	adminv1.UnimplementedAdminServiceServer
	bankv1.UnimplementedCardNetServiceServer
	bankv1.UnimplementedFasterPaymentsServiceServer

	address string
	server  *grpc.Server
	served  sync.WaitGroup
	conn    *grpc.ClientConn
	done    chan struct{}
	killed  sync.Once

	mu        sync.Mutex
	calls     []string
	faults    []*adminv1.Fault
	down      bool
	fallback  bankv1.FallbackMode
	backlog   int64
	failScale bool
	// faultTakes is how long each injection is at work.
	faultTakes time.Duration

	// stuck keeps the backlog as it is. onBacklog, if set, is called with each
	// question for stand-in's.
	stuck     bool
	onBacklog func()
}

func startFake(t *testing.T) *fakePlatform {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakePlatform{
		address: l.Addr().String(), server: grpc.NewServer(),
		done: make(chan struct{}), backlog: 3,
	}
	adminv1.RegisterAdminServiceServer(f.server, f)
	bankv1.RegisterCardNetServiceServer(f.server, f)
	bankv1.RegisterFasterPaymentsServiceServer(f.server, f)
	bankv1.RegisterStandInServiceServer(f.server, fakeStandin{platform: f})
	f.served.Go(func() { _ = f.server.Serve(l) })
	if f.conn, err = grpc.NewClient("passthrough:///"+f.address, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Kill()
		_ = f.conn.Close()
	})
	return f
}

func (f *fakePlatform) Admin() grpc.ClientConnInterface { return f.conn }
func (f *fakePlatform) Done() <-chan struct{}           { return f.done }
func (f *fakePlatform) StoresDir() string               { return "stores" }

func (f *fakePlatform) Kill() {
	f.killed.Do(func() {
		f.server.Stop()
		f.served.Wait()
		close(f.done)
	})
}

// poisonedLine is what a router's log says in the platform that is played here.
const poisonedLine = `level=ERROR msg="endpoints list: parse failure: subsets is null" service=pots`

func (f *fakePlatform) SearchLogs(_ context.Context, req *adminv1.SearchLogsRequest) (*adminv1.SearchLogsResponse, error) {
	resp := &adminv1.SearchLogsResponse{Logs: 1}
	if req.GetPart() == "router-" && strings.Contains(poisonedLine, req.GetText()) {
		resp.Found, resp.First, resp.FirstLog = 1, poisonedLine, "router-c1"
	}
	return resp, nil
}

func (f *fakePlatform) called(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fakePlatform) GetTopology(context.Context, *adminv1.GetTopologyRequest) (*adminv1.GetTopologyResponse, error) {
	resp := &adminv1.GetTopologyResponse{Members: make([]*adminv1.Member, 3)}
	for _, service := range []string{"cardnet", "fps", "gateway", "standin"} {
		resp.Edges = append(resp.Edges, &adminv1.Edge{Service: service, Node: "a1", Zone: "a", Address: f.address})
	}
	return resp, nil
}

func (f *fakePlatform) WatchState(req *adminv1.WatchStateRequest, stream grpc.ServerStreamingServer[adminv1.WatchStateResponse]) error {
	tick := time.NewTicker(time.Duration(req.GetIntervalMs()) * time.Millisecond)
	defer tick.Stop()
	for {
		f.mu.Lock()
		state := &adminv1.WatchStateResponse{Faults: f.faults}
		for _, node := range []string{"c1", "a1"} {
			r := &adminv1.RouterState{Node: node, State: adminv1.DiscoveryState_DISCOVERY_STATE_LIVE, Requests: 10, Attempts: 12}
			if f.down && node == "c1" {
				r.State = adminv1.DiscoveryState_DISCOVERY_STATE_DOWN
			}
			state.Routers = append(state.Routers, r)
		}
		f.mu.Unlock()
		if err := stream.Send(state); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-tick.C:
		}
	}
}

func (f *fakePlatform) GrowRegistry(req *adminv1.GrowRegistryRequest, stream grpc.ServerStreamingServer[adminv1.GrowRegistryResponse]) error {
	f.called("grow %d", req.GetMembers())
	for n := int32(4); n <= req.GetMembers(); n++ {
		if err := stream.Send(&adminv1.GrowRegistryResponse{Members: n, Added: fmt.Sprintf("etcd-%d", n)}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakePlatform) Scale(_ context.Context, req *adminv1.ScaleRequest) (*adminv1.ScaleResponse, error) {
	f.called("scale %s %d", req.GetService(), req.GetReplicas())
	if f.failScale {
		return nil, fmt.Errorf("no such service")
	}
	return &adminv1.ScaleResponse{}, nil
}

func (f *fakePlatform) RestartRouter(_ context.Context, req *adminv1.RestartRouterRequest) (*adminv1.RestartRouterResponse, error) {
	f.called("restart %s", req.GetNode())
	f.setDown(true)
	return &adminv1.RestartRouterResponse{}, nil
}

func (f *fakePlatform) DeleteService(_ context.Context, req *adminv1.DeleteServiceRequest) (*adminv1.DeleteServiceResponse, error) {
	f.called("delete %s", req.GetService())
	f.setDown(false)
	return &adminv1.DeleteServiceResponse{}, nil
}

func (f *fakePlatform) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *fakePlatform) isDown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down
}

func (f *fakePlatform) InjectFault(ctx context.Context, req *adminv1.InjectFaultRequest) (*adminv1.InjectFaultResponse, error) {
	f.called("inject %s %s", req.GetName(), req.GetTarget())
	pause(ctx, f.faultTakes)
	fault := &adminv1.Fault{Name: req.GetName(), Target: req.GetTarget()}
	f.mu.Lock()
	defer f.mu.Unlock()
	// The proof grows after the injection, as bytes are swallowed.
	f.faults = append(f.faults, &adminv1.Fault{Name: req.GetName(), Target: req.GetTarget(), Proof: 42, Evidence: "bytes swallowed"})
	return &adminv1.InjectFaultResponse{Fault: fault}, nil
}

func (f *fakePlatform) ListFaults(context.Context, *adminv1.ListFaultsRequest) (*adminv1.ListFaultsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &adminv1.ListFaultsResponse{Injected: f.faults}, nil
}

func (f *fakePlatform) SetFallback(_ context.Context, req *bankv1.SetFallbackRequest) (*bankv1.SetFallbackResponse, error) {
	f.called("fallback %s", req.GetMode())
	f.mu.Lock()
	defer f.mu.Unlock()
	previous := f.fallback
	f.fallback = req.GetMode()
	return &bankv1.SetFallbackResponse{Previous: previous}, nil
}

// GetBacklog: the fake card edge reverses at once.
func (f *fakePlatform) GetBacklog(context.Context, *bankv1.GetBacklogRequest) (*bankv1.GetBacklogResponse, error) {
	return &bankv1.GetBacklogResponse{}, nil
}

// fakeStandin is apart since it shares method names with the card edge.
type fakeStandin struct {
	bankv1.UnimplementedStandInServiceServer
	platform *fakePlatform
}

// GetBacklog is one shorter at each question.
func (s fakeStandin) GetBacklog(context.Context, *bankv1.GetBacklogRequest) (*bankv1.GetBacklogResponse, error) {
	f := s.platform
	if f.onBacklog != nil {
		f.onBacklog()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stuck {
		f.backlog = max(f.backlog-1, 0)
	}
	return &bankv1.GetBacklogResponse{Pending: f.backlog}, nil
}

func (f *fakePlatform) GetQueue(context.Context, *bankv1.GetQueueRequest) (*bankv1.GetQueueResponse, error) {
	return &bankv1.GetQueueResponse{}, nil
}

// offer decides each journey the moment it is due: ok while the router is
// up, failed while it is down.
func (f *fakePlatform) offer(ctx context.Context, runner loadgen.Runner, load Load) (loadgen.Summary, error) {
	summary := loadgen.Summary{}
	for seq, arrival := range load.Schedule.Arrivals {
		due := load.Start.Add(arrival.At)
		pause(ctx, time.Until(due))
		if ctx.Err() != nil {
			summary.Interrupted = true
			break
		}
		outcome := loadgen.OK
		if f.isDown() {
			outcome = loadgen.Failed
		}
		at := due.Sub(runner.Origin).Nanoseconds()
		load.Sink.Record(&loadgen.Record{
			Load: load.Schedule.Load, Seq: seq, Journey: arrival.Journey, Name: customers.Journeys[arrival.Journey].Name, Customer: int(arrival.Customer),
			AmountMinor: int64(arrival.AmountMinor), Key: customers.Key(load.Schedule, seq, 0),
			IntendedNs: at, SentNs: at, DoneNs: at,
			Decision: loadgen.Decision{Outcome: outcome}, Provenance: loadgen.Provenance{Route: "live", Attempts: 1},
		})
		summary.Scheduled++
		summary.Sent++
	}
	return summary, nil
}
