package part

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/node"
	"breakbank/platform/process"
	adminv1 "breakbank/proto/admin/v1"
)

// dieAfter is how long an answer has to get out before the process ends.
const dieAfter = 200 * time.Millisecond

// Server tells of this process, and does to it what it is told. Register it
// with a grpc.Server. It is safe for concurrent use.
type Server struct {
	adminv1.UnimplementedPartServiceServer
	offers  Offers
	process identity
	breaks  *breaks
	acts    atomic.Int64

	mu       sync.Mutex
	watchers map[*watcher]struct{}
	death    *time.Timer
	closed   chan struct{}
	close    sync.Once
}

// NewServer returns the server of this process.
func NewServer(o Offers) *Server {
	startedAt := time.Now()
	if s, err := process.Look(os.Getpid()); err == nil && !s.StartedAt.IsZero() {
		startedAt = s.StartedAt
	}
	return newServer(o, identity{int64(os.Getpid()), startedAt.UnixNano()})
}

func newServer(o Offers, process identity) *Server {
	return &Server{
		offers: o, process: process, breaks: newBreaks(o.Links),
		watchers: map[*watcher]struct{}{}, closed: make(chan struct{}),
	}
}

// Close ends the streams to those who watch, which would last for ever
// otherwise. Call it before the listener is closed.
func (s *Server) Close() {
	s.close.Do(func() {
		close(s.closed)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.death != nil {
			s.death.Stop()
		}
	})
}

// StartMember starts the part's etcd member.
func (s *Server) StartMember(ctx context.Context, req *adminv1.StartMemberRequest) (*adminv1.StartMemberResponse, error) {
	if err := stale(ctx); err != nil {
		return nil, err
	}
	switch {
	case s.offers.Member == nil:
		return nil, s.without("etcd member")
	case req.GetInitialCluster() == "" || req.GetInitialClusterState() == "":
		return nil, status.Error(codes.InvalidArgument, "initial_cluster and initial_cluster_state must be given")
	}
	if err := s.offers.Member.Start(ctx, req.GetInitialCluster(), req.GetInitialClusterState()); err != nil {
		return nil, failed(err)
	}
	return &adminv1.StartMemberResponse{Acts: s.act()}, nil
}

// StopMember stops it.
func (s *Server) StopMember(ctx context.Context, _ *adminv1.StopMemberRequest) (*adminv1.StopMemberResponse, error) {
	if err := stale(ctx); err != nil {
		return nil, err
	}
	if s.offers.Member == nil {
		return nil, s.without("etcd member")
	}
	if err := s.offers.Member.Stop(ctx); err != nil {
		return nil, failed(err)
	}
	return &adminv1.StopMemberResponse{Acts: s.act()}, nil
}

// ReplaceRouter replaces the router of the part's node.
func (s *Server) ReplaceRouter(ctx context.Context, _ *adminv1.ReplaceRouterRequest) (*adminv1.ReplaceRouterResponse, error) {
	if err := stale(ctx); err != nil {
		return nil, err
	}
	if s.offers.Node == nil {
		return nil, s.without("router")
	}
	if err := s.offers.Node.RestartRouter(ctx); err != nil {
		return nil, failed(err)
	}
	return &adminv1.ReplaceRouterResponse{Acts: s.act()}, nil
}

// signals are those of the protocol.
var signals = map[adminv1.ProcessSignal]node.Signal{
	adminv1.ProcessSignal_PROCESS_SIGNAL_KILL:     node.SignalKill,
	adminv1.ProcessSignal_PROCESS_SIGNAL_STOP:     node.SignalStop,
	adminv1.ProcessSignal_PROCESS_SIGNAL_CONTINUE: node.SignalContinue,
}

// SignalInstance does something to the process of an instance.
func (s *Server) SignalInstance(ctx context.Context, req *adminv1.SignalInstanceRequest) (*adminv1.SignalInstanceResponse, error) {
	if err := stale(ctx); err != nil {
		return nil, err
	}
	signal, known := signals[req.GetSignal()]
	switch {
	case s.offers.Node == nil:
		return nil, s.without("instances")
	case !known:
		return nil, status.Error(codes.InvalidArgument, "signal must be kill, stop or continue")
	case !s.runs(req.GetInstance()):
		return nil, status.Errorf(codes.NotFound, "no instance %q runs on %s", req.GetInstance(), s.offers.Name)
	}
	if err := s.offers.Node.SignalInstance(req.GetInstance(), signal); err != nil {
		return nil, failed(err)
	}
	return &adminv1.SignalInstanceResponse{Acts: s.act()}, nil
}

func (s *Server) runs(instance string) bool {
	for _, i := range s.offers.Node.Instances() {
		if i.Name == instance {
			return true
		}
	}
	return false
}

// BreakLink breaks one of the part's links.
func (s *Server) BreakLink(ctx context.Context, req *adminv1.BreakLinkRequest) (*adminv1.BreakLinkResponse, error) {
	if err := stale(ctx); err != nil {
		return nil, err
	}
	answer, err := s.breaks.begin(ctx, req)
	if err == nil {
		s.act()
	}
	return answer, err
}

// MendLink ends what BreakLink began.
func (s *Server) MendLink(ctx context.Context, req *adminv1.MendLinkRequest) (*adminv1.MendLinkResponse, error) {
	answer, err := s.breaks.end(ctx, req.GetId())
	if err == nil {
		s.act()
	}
	return answer, err
}

// SearchLogs looks for a text in the latest lines of the part's logs.
func (s *Server) SearchLogs(_ context.Context, req *adminv1.SearchLogsRequest) (*adminv1.SearchLogsResponse, error) {
	switch {
	case req.GetText() == "":
		return nil, status.Error(codes.InvalidArgument, "no text to look for")
	case s.offers.SearchLogs == nil:
		return nil, s.without("logs")
	}
	return s.offers.SearchLogs(req.GetPart(), req.GetText()), nil
}

// EndPart prepares the end of the process, answers, and ends it.
func (s *Server) EndPart(ctx context.Context, req *adminv1.EndPartRequest) (*adminv1.EndPartResponse, error) {
	if err := stale(ctx); err != nil {
		return nil, err
	}
	if s.offers.Die == nil {
		return nil, s.without("way to end")
	}
	if s.offers.End != nil {
		if err := s.offers.End(req); err != nil {
			return nil, failed(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.death == nil {
		s.death = time.AfterFunc(dieAfter, s.offers.Die)
	}
	return &adminv1.EndPartResponse{}, nil
}

// act counts something that was done, and has it shown at once.
func (s *Server) act() int64 {
	n := s.acts.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		select {
		case w.wake <- struct{}{}:
		default: // It is awake already.
		}
	}
	return n
}

// without refuses what the part has nothing for.
func (s *Server) without(what string) error {
	return status.Errorf(codes.FailedPrecondition, "%s (role %s) has no %s", s.offers.Name, s.offers.Role, what)
}

// failed is what a caller is told of something that could not be done, in one
// line.
func failed(err error) error {
	return status.Error(codes.FailedPrecondition, strings.ReplaceAll(err.Error(), "\n", "; "))
}
