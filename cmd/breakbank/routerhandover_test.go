package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"breakbank/platform/router"
)

const (
	// handovers is how often the router is replaced in a test.
	handovers = 3
	// steadyCallers keep their connections, fickle ones make one for each call.
	steadyCallers, fickleCallers = 6, 2
	// loadBetween is how many calls there must be between two replacements.
	loadBetween = 200
)

// TestRouterRestartLosesNothing replaces the router again and again under load:
// callers that stay connected, callers that connect anew each time, and a stream
// that is open throughout the replacement.
func TestRouterRestartLosesNothing(t *testing.T) {
	for _, plane := range router.ProxyPlanes() {
		t.Run(plane, func(t *testing.T) {
			seed := filepath.Join(t.TempDir(), "seed.yaml")
			seedOf(t, seed, "echo", startInstance(t, "echo-1"), startInstance(t, "echo-2"))
			s := startStandalone(t, "--seed", seed, "--dataplane", plane)
			load := startLoad(t, s)
			pid := s.cmd.Process.Pid
			for range handovers {
				load.grow(loadBetween)
				stream, err := s.dial("echo").FullDuplexCall(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				pingPong(t, stream)
				old := pid
				s.signal(old, syscall.SIGUSR2)
				eventually(t, endLimit, "a successor serves", func() bool {
					pid = s.pid()
					return pid != 0 && pid != old
				})
				load.grow(loadBetween)
				pingPong(t, stream)
				if err := stream.CloseSend(); err != nil {
					t.Error(err)
				}
				if _, err := stream.Recv(); err == nil {
					t.Error("the stream goes on after its end")
				}
				eventually(t, endLimit, "the predecessor has ended", func() bool { return len(processes(t)) == 1 })
			}
			load.stop()
			if code := s.cmd.ProcessState.ExitCode(); code != exitOK {
				t.Errorf("the first process ended with %d", code)
			}
			s.signal(pid, syscall.SIGTERM)
			eventually(t, endLimit, "the last process has ended", func() bool { return len(processes(t)) == 0 })
		})
	}
}

// TestRouterStaysWithoutASuccessor: one that cannot start costs nothing.
func TestRouterStaysWithoutASuccessor(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	seedOf(t, seed, "echo", startInstance(t, "echo-1"))
	s := startStandalone(t, "--seed", seed)
	load := startLoad(t, s)
	load.grow(loadBetween)
	write(t, seed, "services: [not, this]\n")
	s.signal(s.cmd.Process.Pid, syscall.SIGUSR2)
	eventually(t, endLimit, "it says that it stays", func() bool {
		return strings.Contains(s.said(s.log), "this router stays")
	})
	load.grow(loadBetween)
	load.stop()
	if s.hasEnded() {
		t.Error("it has ended all the same")
	}
}

func pingPong(t *testing.T, stream testpb.TestService_FullDuplexCallClient) {
	t.Helper()
	err := stream.Send(&testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := stream.Recv(); err != nil || len(out.GetPayload().GetBody()) != 10 {
		t.Fatalf("on the stream: %v, %v", out, err)
	}
}

// callers call without a pause, and do not forgive.
type callers struct {
	t      *testing.T
	calls  atomic.Int64
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startLoad(t *testing.T, s *standalone) *callers {
	ctx, cancel := context.WithCancel(t.Context())
	l := &callers{t: t, cancel: cancel}
	call := func(client testpb.TestServiceClient) {
		_, err := client.UnaryCall(context.WithoutCancel(ctx), &testpb.SimpleRequest{})
		if err != nil {
			t.Errorf("call %d: %v", l.calls.Load(), err)
		}
		l.calls.Add(1)
	}
	for range steadyCallers {
		client := s.dial("echo")
		l.done.Go(func() {
			for ctx.Err() == nil {
				call(client)
			}
		})
	}
	for range fickleCallers {
		l.done.Go(func() {
			for ctx.Err() == nil {
				conn, err := grpc.NewClient("passthrough:///"+s.requests, grpc.WithAuthority("echo"), grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					t.Error(err)
					return
				}
				call(testpb.NewTestServiceClient(conn))
				if err := conn.Close(); err != nil && !errors.Is(err, grpc.ErrClientConnClosing) {
					t.Error(err)
				}
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

// grow waits for so many more calls.
func (l *callers) grow(calls int64) {
	l.t.Helper()
	enough := l.calls.Load() + calls
	eventually(l.t, endLimit, "there is load", func() bool { return l.calls.Load() >= enough })
}

func (l *callers) stop() {
	l.cancel()
	l.done.Wait()
}
