package capacity

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"

	"breakbank/bench/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slots is a service whose capacity is known: so many slots, each of which takes
// exactly so long for a request. When a request may end is reckoned, not waited
// for, so that late timers make it no smaller.
type slots struct {
	testpb.UnimplementedTestServiceServer
	takes time.Duration
	mu    sync.Mutex
	free  []time.Time
}

func (s *slots) perS() float64 { return float64(len(s.free)) / s.takes.Seconds() }

// UnaryCall implements the service.
func (s *slots) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	s.mu.Lock()
	first := 0
	for i := range s.free {
		if s.free[i].Before(s.free[first]) {
			first = i
		}
	}
	ends := time.Now()
	if s.free[first].After(ends) {
		ends = s.free[first]
	}
	ends = ends.Add(s.takes)
	s.free[first] = ends
	s.mu.Unlock()
	timer := time.NewTimer(time.Until(ends))
	defer timer.Stop()
	select {
	case <-timer.C:
		return &testpb.SimpleResponse{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a service that can be asked for its methods.
func serve(t *testing.T, s testpb.TestServiceServer) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testpb.RegisterTestServiceServer(server, s)
	reflection.Register(server)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // It ends with the test.
	stop = sync.OnceFunc(func() {
		server.Stop()
		serving.Wait()
	})
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// brief is a search of less than ten seconds.
func brief(t *testing.T, address string) Options {
	t.Helper()
	objective, err := ParseObjective("p99<30ms,ok>99.9%")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Spec: load.Spec{
			Method: &load.MethodSpec{Name: "grpc.testing.TestService/UnaryCall"}, Targets: []string{address},
			Connections: 4, Pacer: "constant", Deadline: time.Second, Cores: load.CoresShared,
		},
		Objective: objective, Probe: 400 * time.Millisecond, WarmUp: 100 * time.Millisecond, Pause: 10 * time.Millisecond, NoCurve: true,
		Plan:     Plan{StartPerS: 600, MinPerS: 1, MaxPerS: 100_000, Resolution: 0.1, ConfirmMax: 6, Seed: 1},
		Progress: func(p Progress) { t.Log(p) },
	}
}

// TestAKnownCapacity: 6 slots of 5 ms are 1,200/s. At (1+δ) times that, evenly
// spaced, the queue is δT long after T: with 25 ms of the objective's 30 to spare,
// and T = 0.1 s of warm-up and 99 % of 0.4 s, δ = 5 % more is not noticed.
func TestAKnownCapacity(t *testing.T) {
	s := &slots{takes: 5 * time.Millisecond, free: make([]time.Time, 6)}
	address, _ := serve(t, s)
	o := brief(t, address)
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.End == ByGenerator {
		t.Skipf("this machine is too busy to tell: %v", r.InvalidReasons)
	}
	if r.CapacityPerS == nil {
		t.Fatalf("%s: %v", r.End, r.InvalidReasons)
	}
	truth := s.perS() * 1.05
	if low, high := r.CapacityPerS.Low/(1+o.Plan.Resolution), r.CapacityPerS.High*(1+o.Plan.Resolution); truth < low || truth > high {
		t.Errorf("the capacity is %.0f/s; found was\n%s", truth, Text(r))
	}
}

// TestATargetThatGoesMidway keeps what was measured, and says so in one line.
func TestATargetThatGoesMidway(t *testing.T) {
	s := &slots{takes: 5 * time.Millisecond, free: make([]time.Time, 6)}
	address, stop := serve(t, s)
	o := brief(t, address)
	o.Progress = func(p Progress) {
		if p.Number == 2 {
			stop()
		}
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Partial || r.Valid || len(r.Probes) != 2 || !strings.Contains(r.InvalidReasons[0], address) || strings.Contains(r.InvalidReasons[0], "\n") {
		t.Errorf("%v", r.InvalidReasons)
	}
}

func TestNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if _, err := Run(t.Context(), brief(t, address)); err == nil || !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}
