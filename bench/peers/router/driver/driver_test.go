package driver

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"breakbank/loadgen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const unaryCall = "/grpc.testing.TestService/UnaryCall"

// service answers as its hook says, without one with what was asked for.
type service struct {
	testpb.UnimplementedTestServiceServer
	answer func(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error)
}

func (s *service) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if s.answer != nil {
		return s.answer(ctx, in)
	}
	return &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, in.GetResponseSize())}}, nil
}

// serve runs the service and returns its address.
func serve(t *testing.T, s *service) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testpb.RegisterTestServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // It ends with the test.
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}

// load is a closed loop of a moment; edges counts the calls of Opened and Closed.
func load(t *testing.T, address string, bytes int) (l Load, edges *[2]int) {
	t.Helper()
	message, err := UnaryCall(bytes, bytes)
	if err != nil {
		t.Fatal(err)
	}
	edges = &[2]int{}
	return Load{
		Addresses: []string{address}, Authority: "echo", Method: unaryCall, Message: message,
		Connections: 2, Streams: 8, Settle: 20 * time.Millisecond, Window: 100 * time.Millisecond,
		Opened: func() { edges[0]++ }, Closed: func() { edges[1]++ },
	}, edges
}

func TestClosedLoop(t *testing.T) {
	for name, bytes := range map[string]int{"nothing": 0, "small": 64, "beyond a window": 300 << 10} {
		t.Run(name, func(t *testing.T) {
			l, edges := load(t, serve(t, &service{}), bytes)
			m, err := Run(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if m.Done == 0 || m.Failed != 0 || m.Due != m.Done || m.Response.TotalCount() != m.Done {
				t.Errorf("done %d, due %d, failed %d %v, %d times", m.Done, m.Due, m.Failed, m.Errors, m.Response.TotalCount())
			}
			if *edges != [2]int{1, 1} {
				t.Errorf("the window was opened and closed %v times", *edges)
			}
		})
	}
}

func TestOpenLoopKeepsTheSchedule(t *testing.T) {
	l, _ := load(t, serve(t, &service{}), 64)
	l.RatePerS, l.Seed = 1000, 1
	s := drawn(t, &l)
	due := int64(len(s.Arrivals) - s.Until(l.Settle))
	m, err := Run(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if m.Due != due || m.Unsent != 0 || m.Failed != 0 {
		t.Errorf("due %d of %d, unsent %d, failed %d %v", m.Due, due, m.Unsent, m.Failed, m.Errors)
	}
	for what, n := range map[string]int64{
		"response": m.Response.TotalCount(), "service": m.Service.TotalCount(), "send delay": m.SendDelay.TotalCount(),
	} {
		if n != due {
			t.Errorf("%d values of %s, want %d", n, what, due)
		}
	}
	if m.Response.Max() < m.Service.Max() {
		t.Error("a call took longer from its sending than from when it was due")
	}
}

// TestOpenLoopDoesNotWait: with nothing answered, calls go on being due; what
// is beyond the cap is unsent, the rest unanswered, with the time it had reached.
func TestOpenLoopDoesNotWait(t *testing.T) {
	l, _ := load(t, serve(t, &service{answer: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}), 0)
	l.Connections, l.Settle, l.Window = 20, 0, 50*time.Millisecond // wire's first limit is 100 a connection
	l.RatePerS, l.Seed = 20_000, 1
	arrivals := int64(len(drawn(t, &l).Arrivals))
	m, err := Run(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	sent := m.Due - m.Unsent
	if m.Due != arrivals || m.Done != 0 || sent == 0 || sent > inFlightMax || m.Unanswered != sent || m.Failed != 0 {
		t.Errorf("due %d of %d, done %d, unsent %d, unanswered %d, failed %v", m.Due, arrivals, m.Done, m.Unsent, m.Unanswered, m.Errors)
	}
	if m.Response.TotalCount() != sent || m.Response.Max() < int64(patience) {
		t.Errorf("%d times up to %v, want %d beyond %v", m.Response.TotalCount(), time.Duration(m.Response.Max()), sent, patience)
	}
}

func TestFailuresAreCountedAndNamed(t *testing.T) {
	var calls atomic.Int64
	l, _ := load(t, serve(t, &service{answer: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		switch turn := calls.Add(1); {
		case turn > 12:
		case turn%3 == 0:
			return nil, status.Error(codes.ResourceExhausted, "full")
		case turn%3 == 1:
			return &testpb.SimpleResponse{Username: "more than was asked for"}, nil
		}
		return &testpb.SimpleResponse{Payload: &testpb.Payload{}}, nil
	}}), 0)
	l.Connections, l.Streams = 1, 1
	m, err := Run(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if m.Failed != 8 || m.Errors["RESOURCE_EXHAUSTED: full"] != 4 || len(m.Errors) != 2 || m.Done == 0 {
		t.Errorf("done %d, failed %d: %v", m.Done, m.Failed, m.Errors)
	}
}

// TestTheWindowWaitsForAnAnswer: on a machine that is busy with other things a
// window can pass without one, and then there is nothing to divide by.
func TestTheWindowWaitsForAnAnswer(t *testing.T) {
	release := make(chan struct{})
	l, _ := load(t, serve(t, &service{answer: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return &testpb.SimpleResponse{Payload: &testpb.Payload{}}, nil
	}}), 0)
	l.Opened = func() { time.AfterFunc(3*l.Window, func() { close(release) }) }
	m, err := Run(t.Context(), l)
	if err != nil || m.Done == 0 {
		t.Errorf("done %d, %v", m.Done, err)
	}
}

func TestItGivesUpWhenNothingWorks(t *testing.T) {
	l, _ := load(t, serve(t, &service{answer: func(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
		return nil, status.Error(codes.Unavailable, "not today")
	}}), 0)
	l.Window = time.Minute
	_, err := Run(t.Context(), l)
	if !errors.Is(err, errHopeless) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("%v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	l, _ := load(t, address, 0)
	if _, err := Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("%v", err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, _ := load(t, serve(t, &service{}), 0)
	l.Window = time.Minute
	l.Opened = cancel
	if _, err := Run(ctx, l); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTooLittleIsRefused(t *testing.T) {
	for _, spoil := range []func(*Load){
		func(l *Load) { l.Addresses = nil },
		func(l *Load) { l.Connections = 0 },
		func(l *Load) { l.Streams = 1 },
	} {
		l, _ := load(t, "127.0.0.1:1", 0)
		spoil(&l)
		if _, err := Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), "too few") {
			t.Errorf("%v", err)
		}
	}
}

// TestClosedLoopKeepsItsStreamsUp: on three connections, over two addresses.
func TestClosedLoopKeepsItsStreamsUp(t *testing.T) {
	var now, most atomic.Int64
	connections := [2]sync.Map{}
	all := make(chan struct{})
	allThere := sync.OnceFunc(func() { close(all) })
	serving := func(i int) *service {
		return &service{answer: func(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for at := most.Load(); n > at && !most.CompareAndSwap(at, n); at = most.Load() {
			}
			from, _ := peer.FromContext(ctx)
			connections[i].Store(from.Addr.String(), true)
			if n == 8 {
				allThere()
			}
			select { // Hold it until all are there.
			case <-all:
			case <-ctx.Done():
			}
			return &testpb.SimpleResponse{Payload: &testpb.Payload{}}, nil
		}}
	}
	l, _ := load(t, serve(t, serving(0)), 0)
	l.Addresses = append(l.Addresses, serve(t, serving(1)))
	l.Connections, l.Streams = 3, 8
	m, err := Run(t.Context(), l)
	if err != nil || m.Failed != 0 || m.Done == 0 {
		t.Fatalf("done %d, failed %d %v, %v", m.Done, m.Failed, m.Errors, err)
	}
	if most.Load() != 8 {
		t.Errorf("at most %d calls were under way, want 8", most.Load())
	}
	for i, want := range []int{2, 1} {
		n := 0
		connections[i].Range(func(any, any) bool { n++; return true })
		if n != want {
			t.Errorf("%d connections to address %d, want %d", n, i, want)
		}
	}
}

// drawn is the schedule of an open loop.
func drawn(t *testing.T, l *Load) *loadgen.Schedule {
	t.Helper()
	r := &run{load: *l}
	s, err := l.schedule(r.call(func(int) int { return 0 }))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheSeedDrawsTheArrivals(t *testing.T) {
	hashes := map[string]bool{}
	for _, seed := range []uint64{1, 1, 2} {
		hashes[drawn(t, &Load{RatePerS: 4000, Seed: seed, Window: time.Second}).SHA256()] = true
	}
	if len(hashes) != 2 {
		t.Errorf("%d schedules of the seeds 1, 1 and 2", len(hashes))
	}
}
