package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"breakbank/platform/rpc"
)

// Bounds of an instance's life.
const (
	// startLimit bounds the construction of an instance.
	startLimit = 10 * time.Second
	// drainLimit bounds its drain: 200 ms after NOT_SERVING, and what is in
	// flight.
	drainLimit = 5 * time.Second
)

var (
	errKilled  = errors.New("killed")
	errStopped = errors.New("it stopped serving by itself")
)

// running is an instance, from its construction to its end.
type running struct {
	instance Instance
	process  *spawned // the instance too, if it has a process of its own
	outward  outward
	address  string
	killed   atomic.Bool

	over context.Context // ends when Serve has returned
	err  error           // what it returned; valid once over
}

// start constructs the pod's instance and lets it serve.
func (t *tenant) start() (*running, error) {
	construct, known := t.agent.cfg.Constructors[t.service]
	if !known {
		return nil, fmt.Errorf("no such service %q", t.service)
	}
	if spawner := t.agent.cfg.Processes; spawner != nil {
		construct = spawner.New
	}
	l, takeOver, err := t.listen()
	if err != nil {
		return nil, err
	}
	env, out, err := t.env(l)
	if err != nil {
		l.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.stay, startLimit)
	defer cancel()
	instance, err := construct(ctx, env)
	if err != nil {
		l.Close()
		return nil, errors.Join(err, out.close())
	}
	over, finish := context.WithCancel(context.Background())
	s := &running{instance: instance, outward: out, address: t.agent.advertised(l.Addr()), over: over}
	s.process, _ = instance.(*spawned)
	t.agent.tenants.work.Go(func() {
		defer finish()
		s.err = instance.Serve()
	})
	takeOver()
	return s, nil
}

// listen opens the instance's listener: a hold on its service's socket if that
// has a fixed address here, else a port that nobody has had before.
// takeOver makes connections come to it, if they do not anyway.
func (t *tenant) listen() (l net.Listener, takeOver func(), err error) {
	if socket, fixed := t.agent.fixed[t.service]; fixed {
		lease := socket.Lease()
		return lease, lease.TakeOver, nil
	}
	if socket, fixed := t.agent.shared[t.service]; fixed {
		return socket.handOut(), func() {}, nil
	}
	own, err := t.agent.cfg.Listen()
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	return own, func() {}, nil
}

func (t *tenant) env(l net.Listener) (Env, outward, error) {
	cfg := t.agent.cfg
	env := cfg.EnvFor(t.service, t.name)
	env.Service, env.Version, env.Instance = t.service, t.version, t.name
	env.Node, env.Zone, env.Listener, env.RouterAddr = cfg.Name, cfg.Zone, l, t.agent.routerAddrHere()
	if env.Log == nil {
		env.Log = t.log
	}
	env.DataDir = filepath.Join(cfg.DataDir, t.name)
	if err := os.MkdirAll(env.DataDir, 0o700); err != nil {
		return Env{}, outward{}, fmt.Errorf("make its directory: %w", err)
	}
	if cfg.Processes != nil {
		return env, outward{}, nil // Its process reaches others by itself.
	}
	dial := rpc.DialerConfig{RouterAddr: env.RouterAddr, Service: t.service, Instance: t.name, Log: env.Log}
	var out outward
	if cfg.NewCaller != nil {
		out.caller = cfg.NewCaller(t.service, t.name, env.Log)
		dial.Plane = out.caller
	}
	env.Dialer = rpc.NewDialer(dial)
	out.dialer = env.Dialer
	return env, out, nil
}

// outward is how an instance in this process reaches others; empty for one that
// has a process of its own.
type outward struct {
	dialer *rpc.Dialer
	caller Caller // nil: through the router
}

// close ends it: first the data plane, for which the dialer's channels wait.
func (o outward) close() error {
	if o.caller != nil {
		o.caller.Close()
	}
	if o.dialer == nil {
		return nil
	}
	return o.dialer.Close()
}

// drain lets the instance finish.
func (s *running) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	return s.instance.Drain(ctx)
}

func (s *running) kill() {
	s.killed.Store(true)
	s.instance.Kill()
}

// close ends what is left of the instance and waits for it.
func (s *running) close() {
	s.instance.Kill()
	<-s.over.Done()
	_ = s.outward.close() // Of connections whose owner is gone.
}

// failure is why the instance is over, when nobody asked it to be.
func (s *running) failure() error {
	<-s.over.Done()
	switch {
	case s.killed.Load():
		return errKilled
	case s.err == nil:
		return errStopped
	}
	return s.err
}
