package main

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/bench/arm"
	"breakbank/platform/cluster"
	adminv1 "breakbank/proto/admin/v1"
)

// emptiedStack is a control API whose process is away for a while after a reset.
type emptiedStack struct {
	adminv1.UnimplementedAdminServiceServer
	// emptying, if there is one, is told that the first reset has begun; that
	// then lasts until its caller has gone.
	emptying chan struct{}

	mu          sync.Mutex
	generation  string
	generations []string
	away        int // calls that are still refused
}

// awayFor is how many calls meet nobody after a reset.
const awayFor = 3

// absent refuses a call while the control process is away. The caller holds mu.
func (f *emptiedStack) absent() error {
	if f.away == 0 {
		return nil
	}
	f.away--
	return status.Error(codes.Unavailable, "the platform is not up yet")
}

func (f *emptiedStack) Reset(ctx context.Context, req *adminv1.ResetRequest) (*adminv1.ResetResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.absent(); err != nil {
		return nil, err
	}
	if f.emptying != nil {
		close(f.emptying)
		f.emptying = nil
		<-ctx.Done() // It is done all the same.
	}
	f.generation, f.away = req.GetGeneration(), awayFor
	f.generations = append(f.generations, req.GetGeneration())
	return &adminv1.ResetResponse{}, nil
}

func (f *emptiedStack) Hold(context.Context, *adminv1.HoldRequest) (*adminv1.HoldResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &adminv1.HoldResponse{}, f.absent()
}

func (f *emptiedStack) GetTopology(context.Context, *adminv1.GetTopologyRequest) (*adminv1.GetTopologyResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &adminv1.GetTopologyResponse{Generation: f.generation}, f.absent()
}

// kinds are what the stack was reset to.
func (f *emptiedStack) kinds() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var kinds []string
	for _, g := range f.generations {
		kind, _, _ := strings.Cut(g, "-")
		kinds = append(kinds, kind)
	}
	return kinds
}

// take serves a stack and takes it over as a run does.
func (f *emptiedStack) take(ctx context.Context, t *testing.T, progress func(string)) (*stackSession, error) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	adminv1.RegisterAdminServiceServer(server, f)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	a, err := arm.Load("linkerd-2017")
	if err != nil {
		t.Fatal(err)
	}
	return startStackSession(ctx, sessionOptions{
		arm: a, layout: cluster.LayoutContainers, members: 3, durability: "fsync", progress: progress,
		control: controlFlags{Control: l.Addr().String()},
	})
}

func TestAStackIsSetBackAfterARun(t *testing.T) {
	t.Parallel()
	f := &emptiedStack{}
	s, err := f.take(t.Context(), t, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // It may be ended more than once.
		if err := s.end(); err != nil {
			t.Error(err)
		}
	}
	if got := f.kinds(); !slices.Equal(got, []string{"run", "file"}) {
		t.Errorf("reset to %v", got)
	}
	// Whoever is next must find somebody.
	if _, err := f.GetTopology(t.Context(), nil); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// TestAnInterruptedTakeOverIsUndone: a stack that somebody looks at must not be
// left empty and without load because a replay was not to be.
func TestAnInterruptedTakeOverIsUndone(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(context.CancelFunc) (*emptiedStack, func(string)){
		"while it empties itself": func(cancel context.CancelFunc) (*emptiedStack, func(string)) {
			emptying := make(chan struct{})
			go func() { <-emptying; cancel() }()
			return &emptiedStack{emptying: emptying}, func(string) {}
		},
		"while it comes back": func(cancel context.CancelFunc) (*emptiedStack, func(string)) {
			return &emptiedStack{}, func(step string) {
				if strings.HasPrefix(step, "waiting") {
					cancel()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f, progress := interrupt(cancel)
			if _, err := f.take(ctx, t, progress); err == nil {
				t.Fatal("taken over though it was interrupted")
			}
			if got := f.kinds(); !slices.Equal(got, []string{"run", "file"}) {
				t.Errorf("reset to %v", got)
			}
		})
	}
}
