package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"breakbank/platform/rpc"
)

// newCalls makes an instance with a gRPC server: each message that it is sent
// on a stream it sends back, with its own name before it.
func newCalls(_ context.Context, env Env) (Instance, error) { return callsThatDrainFor(0, env) }

// patientDrainFor is long enough for a call between NOT_SERVING and the stop, on
// a busy machine too.
const patientDrainFor = 2 * time.Second

// newPatient makes one that takes its time to turn callers away.
func newPatient(_ context.Context, env Env) (Instance, error) {
	return callsThatDrainFor(patientDrainFor, env)
}

func callsThatDrainFor(d time.Duration, env Env) (Instance, error) {
	server := rpc.NewServer(rpc.ServerConfig{Service: "calls", Instance: env.Instance, Listener: env.Listener, Log: env.Log, DrainFor: d})
	server.Registrar().RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Calls", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "Echo", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			for {
				var said wrapperspb.StringValue
				if err := s.RecvMsg(&said); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if err := s.SendMsg(wrapperspb.String(env.Instance + ": " + said.Value)); err != nil {
					return err
				}
			}
		}}},
	}, nil)
	return server, nil
}

// newQuitter makes an instance that stops by itself once somebody connects.
func newQuitter(_ context.Context, env Env) (Instance, error) {
	return quitter{&echo{env: env}}, nil
}

type quitter struct{ *echo }

func (q quitter) Serve() error {
	if conn, err := q.env.Listener.Accept(); err == nil {
		conn.Close()
		return errors.New("enough")
	}
	return nil
}

// maker makes instances in one of the two ways.
type maker struct {
	t       *testing.T
	make    Constructor
	spawned bool
}

// made is an instance that serves.
type made struct {
	Instance
	address string
	served  chan struct{}
	err     error // of Serve; valid once served
}

// bothWays runs a test on instances in this process and on such with processes
// of their own.
func bothWays(t *testing.T, test func(t *testing.T, m maker)) {
	t.Run("in this process", func(t *testing.T) {
		t.Cleanup(func() { goleak.VerifyNone(t) })
		test(t, maker{t: t, make: func(ctx context.Context, env Env) (Instance, error) {
			env.Log = slog.New(slog.DiscardHandler)
			env.Dialer = rpc.NewDialer(rpc.DialerConfig{RouterAddr: env.RouterAddr, Service: env.Service, Instance: env.Instance})
			return testServices[env.Service](ctx, env)
		}})
	})
	t.Run("a process of its own", func(t *testing.T) {
		t.Cleanup(func() { goleak.VerifyNone(t) })
		test(t, maker{t: t, make: testSpawner(t).New, spawned: true})
	})
}

func (m maker) start(service string) *made {
	m.t.Helper()
	started, err := m.try(service)
	if err != nil {
		m.t.Fatal(err)
	}
	return started
}

func (m maker) try(service string) (*made, error) {
	m.t.Helper()
	l := listen(m.t)
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	instance, err := m.make(ctx, Env{
		Service: service, Version: "v1", Instance: service + "-v1-1-a2", Node: "a2", Zone: "a",
		Listener: l, RouterAddr: "127.0.0.1:1", BookAddr: "book:2", DataDir: m.t.TempDir(),
	})
	if err != nil {
		l.Close()
		return nil, err
	}
	s := &made{Instance: instance, address: l.Addr().String(), served: make(chan struct{})}
	go func() {
		defer close(s.served)
		s.err = instance.Serve()
	}()
	m.t.Cleanup(func() {
		s.Kill()
		<-s.served
	})
	return s, nil
}

// over waits for the end of Serve and returns what it returned.
func (s *made) over(t *testing.T) error {
	t.Helper()
	select {
	case <-s.served:
		return s.err
	case <-time.After(testLimit):
		t.Fatal("Serve goes on")
		return nil
	}
}

// calls is a client of an instance that newCalls or newPatient made.
type calls struct {
	conn   *grpc.ClientConn
	health healthv1.HealthClient
}

func (s *made) calls(t *testing.T) calls {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("calls"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return calls{conn, healthv1.NewHealthClient(conn)}
}

// stream opens a call that stays in flight.
func (c calls) stream(t *testing.T, ctx context.Context) grpc.ClientStream {
	t.Helper()
	s, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/Echo", grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange says something on a stream and returns the answer.
func exchange(s grpc.ClientStream, say string) (string, error) {
	if err := s.SendMsg(wrapperspb.String(say)); err != nil {
		return "", err
	}
	var answer wrapperspb.StringValue
	err := s.RecvMsg(&answer)
	return answer.Value, err
}

func TestInstanceIsToldWhereItIs(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		s := m.start("ledger")
		conn := dial(t, s.address)
		defer conn.Close()
		var name string
		if _, err := fmt.Fscanln(conn, &name); err != nil || name != "ledger-v1-1-a2" {
			t.Errorf("it says %q, %v", name, err)
		}
	})
}

func TestDrainSaysSoFirstAndFinishesWhatIsInFlight(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		s := m.start("patient")
		client := s.calls(t)
		ctx, cancel := context.WithTimeout(t.Context(), testLimit)
		defer cancel()
		inFlight := client.stream(t, ctx)
		if answer, err := exchange(inFlight, "before"); err != nil || answer != "patient-v1-1-a2: before" {
			t.Fatalf("answer %q, %v", answer, err)
		}
		watching, unwatch := context.WithCancel(ctx)
		defer unwatch()
		health, err := client.health.Watch(watching, &healthv1.HealthCheckRequest{Service: "calls"})
		if err != nil {
			t.Fatal(err)
		}
		if said, err := health.Recv(); err != nil || said.Status != healthv1.HealthCheckResponse_SERVING {
			t.Fatalf("health %v, %v", said, err)
		}

		drained := make(chan error, 1)
		begun := time.Now()
		go func() { drained <- s.Drain(ctx) }()
		if said, err := health.Recv(); err != nil || said.Status != healthv1.HealthCheckResponse_NOT_SERVING {
			t.Fatalf("health %v, %v", said, err)
		}
		unwatch()
		// Those who have not heard yet are served.
		late := client.stream(t, ctx)
		if _, err := exchange(late, "late"); err != nil {
			t.Errorf("a call after NOT_SERVING: %v", err)
		}
		_ = late.CloseSend()
		for err == nil {
			err = late.RecvMsg(&wrapperspb.StringValue{})
		}
		await(t, "no new connections", func() bool { return refused(s.address) })
		if took := time.Since(begun); took < patientDrainFor {
			t.Errorf("it refused new calls after %v, it should say so for %v first", took, patientDrainFor)
		}
		if answer, err := exchange(inFlight, "after"); err != nil || answer != "patient-v1-1-a2: after" {
			t.Errorf("in flight: %q, %v", answer, err)
		}
		select {
		case err := <-drained:
			t.Fatalf("Drain returned with a call in flight: %v", err)
		default:
		}
		_ = inFlight.CloseSend()
		if err := inFlight.RecvMsg(&wrapperspb.StringValue{}); !errors.Is(err, io.EOF) {
			t.Errorf("the end of the call in flight: %v", err)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
		if err := s.over(t); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestDrainThatTakesTooLongCutsOff(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		s := m.start("calls")
		ctx, cancel := context.WithTimeout(t.Context(), testLimit)
		defer cancel()
		inFlight := s.calls(t).stream(t, ctx)
		if _, err := exchange(inFlight, "before"); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 2*rpc.DefaultDrainFor)
		defer cancel()
		if err := s.Drain(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		if err := inFlight.RecvMsg(&wrapperspb.StringValue{}); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the call in flight: %v", err)
		}
		if err := s.over(t); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestKillEndsConnections(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		s := m.start("ledger")
		conn := dial(t, s.address)
		if _, err := fmt.Fscanln(conn, new(string)); err != nil {
			t.Fatal(err)
		}
		var twice sync.WaitGroup
		twice.Go(s.Kill)
		twice.Go(s.Kill)
		twice.Wait()
		if err := s.over(t); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if !ended(conn) || !refused(s.address) {
			t.Error("it serves")
		}
	})
}

func TestKillEndsADrain(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		s := m.start("calls")
		inFlight := s.calls(t).stream(t, t.Context())
		if _, err := exchange(inFlight, "before"); err != nil {
			t.Fatal(err)
		}
		drained := make(chan error, 1)
		begun := time.Now()
		go func() { drained <- s.Drain(context.Background()) }()
		await(t, "the drain", func() bool { return refused(s.address) })
		if took := time.Since(begun); took < rpc.DefaultDrainFor {
			t.Errorf("it refused new calls after %v, by default it should say so for %v first", took, rpc.DefaultDrainFor)
		}
		s.Kill()
		if err := s.over(t); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := <-drained; err != nil {
			t.Log(err) // It may have noticed, or not.
		}
		if err := inFlight.RecvMsg(&wrapperspb.StringValue{}); err == nil {
			t.Error("the call in flight got an answer")
		}
	})
}

func TestWhyItDoesNotStartIsSaid(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		if _, err := m.try("broken"); err == nil || !strings.Contains(err.Error(), "no money in the bank") {
			t.Errorf("error %v", err)
		}
	})
}

func TestOneThatStopsByItselfHasCrashed(t *testing.T) {
	bothWays(t, func(t *testing.T, m maker) {
		s := m.start("quitter")
		dial(t, s.address).Close()
		if err := s.over(t); err == nil {
			t.Error("Serve returned nil")
		}
	})
}

// TestNotForEveryListener: what cannot be passed on is refused before anything
// is started.
func TestNotForEveryListener(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := testSpawner(t).New(t.Context(), Env{Service: "ledger", Instance: "x", Listener: l, DataDir: t.TempDir()}); err == nil {
		t.Error("it was started")
	}
	if _, err := os.Stat("instance.json"); err == nil {
		t.Error("a specification is here")
	}
}
