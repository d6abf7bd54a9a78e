package router

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
)

// restartTimeout is the deadline of requests that are to be lost in no case.
const restartTimeout = 20 * time.Second

// A router that is replaced under load loses nothing: its successor serves on
// the same socket before it drains, as make-before-break has it.
func TestReplacedUnderLoad(t *testing.T) {
	registry := newRegistryStub(t)
	a, b := startBackend(t, "echo-1"), startBackend(t, "echo-2")
	registry.set("echo", a.instance(), b.instance())
	l := listen(t)
	defer l.Close()
	start := func() *Router {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		same, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := New(Options{
			Node: "a1", Zone: "a", Config: []byte("{retries: {kind: none}}"), Listener: same,
			APIServers: []string{registry.server.URL}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Seed: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Start()
		t.Cleanup(r.Kill)
		<-r.Ready()
		return r
	}
	r := start()
	var clients []testpb.TestServiceClient
	for i := range 16 {
		if i%4 == 0 {
			clients = append(clients, dialRouter(t, l.Addr().String(), "echo"))
		} else {
			clients = append(clients, clients[i-1]) // on one connection
		}
	}
	load := startGRPCLoad(t, clients, restartTimeout)
	for range 3 {
		before := load.done.Load()
		eventually(t, "load", func() bool { return load.done.Load() > before+300 })
		next := start()
		ctx, cancel := context.WithTimeout(t.Context(), restartTimeout)
		if err := r.Drain(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		r = next
	}
	before := load.done.Load()
	eventually(t, "load", func() bool { return load.done.Load() > before+300 })
	load.stop()
	if n := load.failed.Load(); n != 0 {
		t.Errorf("%d of %d requests failed: %v", n, load.done.Load(), load.lastError())
	}
}

// Instances that say goodbye to connections again and again, under load, cost
// nothing: what they have not looked at goes elsewhere, and the rest is
// finished.
func TestGoodbyesUnderLoad(t *testing.T) {
	registry := newRegistryStub(t)
	var instances []instance
	for _, name := range []string{"echo-1", "echo-2"} {
		b := &backend{name: name}
		l := listen(t)
		b.server = grpc.NewServer(grpc.WaitForHandlers(true), grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: 20 * time.Millisecond, MaxConnectionAgeGrace: restartTimeout,
		}))
		testpb.RegisterTestServiceServer(b.server, b)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = b.server.Serve(l)
		}()
		t.Cleanup(func() {
			b.server.Stop()
			<-done
		})
		instances = append(instances, instance{name, l.Addr().String()})
	}
	registry.set("echo", instances...)
	r, addr := startRouter(t, registry, "{strategy: round-robin, retries: {kind: none}}")
	<-r.Ready()
	var clients []testpb.TestServiceClient
	c := dialRouter(t, addr, "echo")
	for range 16 {
		clients = append(clients, c)
	}
	load := startGRPCLoad(t, clients, restartTimeout)
	began := time.Now()
	eventually(t, "many goodbyes", func() bool { return load.done.Load() > 1000 && time.Since(began) > 500*time.Millisecond })
	load.stop()
	if n := load.failed.Load(); n != 0 {
		t.Errorf("%d of %d requests failed: %v", n, load.done.Load(), load.lastError())
	}
}
