package rpc_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"breakbank/platform/rpc"
	bookv1 "breakbank/proto/book/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger is the service that the tests call. It counts what it executes.
type ledger struct {
	bookv1.UnimplementedBookServiceServer
	executed atomic.Int64
	// apply is what the nth execution does, counted from 1.
	apply func(ctx context.Context, n int64) error
}

func (l *ledger) Apply(ctx context.Context, _ *bookv1.ApplyRequest) (*bookv1.ApplyResponse, error) {
	n := l.executed.Add(1)
	if l.apply != nil {
		if err := l.apply(ctx, n); err != nil {
			return nil, err
		}
	}
	return &bookv1.ApplyResponse{Sequence: n}, nil
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve runs an instance until the test ends.
func serve(t *testing.T, service, instance string, l net.Listener, impl *ledger) *rpc.Server {
	t.Helper()
	s := rpc.NewServer(rpc.ServerConfig{Service: service, Instance: instance, Listener: l})
	bookv1.RegisterBookServiceServer(s.Registrar(), impl)
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		s.Kill()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// dial returns a client of the service at addr.
func dial(t *testing.T, service, addr string) bookv1.BookServiceClient {
	t.Helper()
	d := rpc.NewDialer(rpc.DialerConfig{RouterAddr: addr, Service: "test", Instance: "test-1"})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close dialer: %v", err)
		}
	})
	conn, err := d.Dial(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	return bookv1.NewBookServiceClient(conn)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); <-tick.C {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// line is a TCP relay whose connections can be cut, as a router's die with it.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
	done  sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l := &line{Listener: listen(t, "127.0.0.1:0"), to: to}
	l.done.Go(l.accept)
	t.Cleanup(func() {
		_ = l.Close()
		l.cut()
		l.done.Wait()
	})
	return l
}

func (l *line) accept() {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, in, out)
		l.mu.Unlock()
		l.done.Go(func() { pipe(in, out) })
		l.done.Go(func() { pipe(out, in) })
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// cut closes all connections; new ones work.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}
