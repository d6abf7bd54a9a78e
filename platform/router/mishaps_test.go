package router

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// What may happen to an instance while it is under load. The table goes on to
// name it: nothing but the data plane's own evidence helps.
var mishaps = []struct {
	name string
	// do lets it happen, to the first of the instances.
	do func(t *testing.T, c *childInstance)
	// deadline is the callers'. Where nothing but it ends a call, it is how an
	// instance that has stopped is found out.
	deadline time.Duration
	// takes is how long it takes to show: a request may go to an instance that
	// has stopped until the first that did is out of time.
	takes time.Duration
	// lossless: not even requests in flight are lost.
	lossless bool
}{
	{"killed", func(_ *testing.T, c *childInstance) { c.kill() }, restartTimeout, 0, false},
	{"stopped", func(t *testing.T, c *childInstance) {
		c.signal(t, syscall.SIGSTOP)
		t.Cleanup(func() { c.signal(t, syscall.SIGCONT) })
	}, stoppedTimeout, 2*stoppedTimeout + stoppedTimeout/4, false},
	{"slow", func(t *testing.T, c *childInstance) { c.slow(t, 100*time.Millisecond) }, restartTimeout, 0, true},
	{"reused by another service", func(t *testing.T, c *childInstance) {
		c.kill()
		other := startChild(t, "prepaid", "prepaid-1", c.addr)
		t.Cleanup(func() {
			if n := other.executed(t); n != 0 {
				t.Errorf("the other service has executed %d requests that were not meant for it", n)
			}
		})
	}, restartTimeout, 0, false},
}

const (
	mishapCallers = 16
	// stoppedTimeout is short enough to be waited for, and far longer than a busy
	// machine takes for a call.
	stoppedTimeout = 3 * time.Second
	// mishapLoad is how many requests are load enough.
	mishapLoad = 500
	// callPause is between two requests of a caller, so that deadlines tell of
	// instances, and not of what the machine has to do.
	callPause = 5 * time.Millisecond
)

// grpcLoad is grpc-go clients with a request under way each, whose requests may
// not be repeated.
type grpcLoad struct {
	done, failed atomic.Int64
	last         atomic.Pointer[error]
	cancel       context.CancelFunc
	work         sync.WaitGroup
}

func startGRPCLoad(t *testing.T, clients []testpb.TestServiceClient, timeout time.Duration) *grpcLoad {
	t.Helper()
	running, cancel := context.WithCancel(t.Context())
	l := &grpcLoad{cancel: cancel}
	for _, c := range clients {
		l.work.Go(func() {
			pause := time.NewTicker(callPause)
			defer pause.Stop()
			for ; running.Err() == nil; <-pause.C {
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				_, err := c.UnaryCall(ctx, ask("x"))
				cancel()
				l.done.Add(1)
				if err != nil {
					l.failed.Add(1)
					l.last.Store(&err)
				}
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

func (l *grpcLoad) stop() {
	l.cancel()
	l.work.Wait()
}

func (l *grpcLoad) lastError() error {
	if err := l.last.Load(); err != nil {
		return *err
	}
	return nil
}

// TestMishaps: with ejection and identity no more is lost than was in flight,
// and no request is executed by a service that it was not meant for.
func TestMishaps(t *testing.T) {
	for _, m := range mishaps {
		t.Run(m.name, func(t *testing.T) {
			registry := newRegistryStub(t)
			hit := startChild(t, "echo", "echo-1", deadAddr(t))
			var instances []instance
			for _, name := range []string{"echo-2", "echo-3"} {
				instances = append(instances, startChild(t, "echo", name, "127.0.0.1:0").instance)
			}
			registry.set("echo", append(instances, hit.instance)...)
			r, addr := startRouter(t, registry, "{strategy: p2c-ewma, policies: [keep-last, identity], retries: {kind: budget}, ejection: {max_percent: 50}}")
			<-r.Ready()
			var clients []testpb.TestServiceClient
			for range mishapCallers {
				clients = append(clients, dialRouter(t, addr, "echo"))
			}
			l := startGRPCLoad(t, clients, m.deadline)
			eventually(t, "load on all instances", func() bool { return l.done.Load() > mishapLoad && hit.executed(t) > 100 })
			if n := l.failed.Load(); n != 0 {
				t.Fatalf("%d requests failed before anything happened: %v", n, l.lastError())
			}
			more := func() {
				done := l.done.Load()
				eventually(t, "load", func() bool { return l.done.Load() > done+mishapLoad })
			}
			m.do(t, hit)
			more()
			timer := time.NewTimer(m.takes)
			defer timer.Stop()
			<-timer.C
			lost := l.failed.Load()
			more()
			l.stop()
			after := l.failed.Load() - lost
			t.Logf("%s: %d of %d requests lost, of %d in flight; %d later", m.name, lost, l.done.Load(), mishapCallers, after)
			most := int64(mishapCallers)
			if m.lossless {
				most = 0
			}
			if lost > most {
				t.Errorf("%d requests were lost, at most %d were in flight: %v", lost, most, l.lastError())
			}
			if after > 0 {
				t.Errorf("%d requests were lost long after: %v", after, l.lastError())
			}
		})
	}
}
