package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"breakbank/platform/router"
)

// Bounds of replacing a router.
const (
	// routerReadyLimit is how long a router that is made before the old one is
	// broken may take until it is ready.
	routerReadyLimit = 10 * time.Second
	// routerDrainLimit bounds the drain of the old one.
	routerDrainLimit = 10 * time.Second
	// routerStartPause is between two attempts to start a router with a
	// configuration that it refuses.
	routerStartPause = time.Second
)

// RouterStatus is what the agent knows of its router.
type RouterStatus struct {
	router.Status
	// Running is false while there is none: it waits for its configuration,
	// and Detail says why.
	Running bool
	// Incarnation counts the routers that this node has had, from 1; one that
	// is to replace another counts once that one is dead or it has taken over.
	// Asking to restart a router that is down adds nothing.
	Incarnation int64
}

// routerKeeper owns the node's router: it starts it, and replaces it on
// request.
type routerKeeper struct {
	socket *Socket
	config *routerConfig
	make   RouterFactory
	log    *slog.Logger
	wake   chan struct{} // holds a token when there is something to do

	mu          sync.Mutex
	current     *runningRouter // nil while down
	replace     bool           // a router is to be made before current is broken
	incarnation int64
	why         string // it is down
}

type runningRouter struct {
	Router
	lease           *Lease
	makeBeforeBreak bool
}

// kill ends a router and whatever it still accepts.
func (r *runningRouter) kill() {
	r.lease.release()
	r.Kill()
}

func newRouterKeeper(socket *Socket, config *routerConfig, factory RouterFactory, log *slog.Logger) *routerKeeper {
	k := &routerKeeper{
		socket: socket, config: config, make: factory, log: log, wake: make(chan struct{}, 1),
		incarnation: 1, why: "starting",
	}
	config.failed = func(err error) { k.down(err.Error()) }
	return k
}

// run starts the router and does what restart asks for, until ctx ends; then
// it kills the router.
func (k *routerKeeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		current, replace := k.take()
		switch {
		case current == nil:
			k.start(ctx)
			continue
		case replace:
			k.replaceCurrent(ctx, current)
			continue
		}
		select {
		case <-ctx.Done():
		case <-k.wake:
		}
	}
	if current, _ := k.take(); current != nil {
		current.kill()
	}
}

// restart replaces the router. It returns once the old one is dead, or, when
// the new one is made first, at once.
func (k *routerKeeper) restart() {
	k.mu.Lock()
	old := k.current
	switch {
	case old == nil: // There is none to replace; one is being started.
	case old.makeBeforeBreak:
		k.replace = true
		old = nil
	default:
		k.current, k.why = nil, "restarting"
		k.incarnation++
	}
	k.mu.Unlock()
	if old != nil {
		old.kill()
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *routerKeeper) status() RouterStatus {
	k.mu.Lock()
	current, s := k.current, RouterStatus{Incarnation: k.incarnation}
	s.Detail = k.why
	k.mu.Unlock()
	if current != nil {
		s.Status, s.Running = current.Status(), true
	}
	return s
}

// ServeHTTP lends the router's table to other nodes' routers, if there is a
// router and it does that.
func (k *routerKeeper) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	k.mu.Lock()
	current := k.current
	k.mu.Unlock()
	if current != nil {
		if lender, ok := current.Router.(http.Handler); ok {
			lender.ServeHTTP(w, q)
			return
		}
	}
	http.Error(w, "no router here lends its table", http.StatusServiceUnavailable)
}

// take returns the current router and whether it is to be replaced.
func (k *routerKeeper) take() (*runningRouter, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	replace := k.replace
	k.replace = false
	return k.current, replace
}

func (k *routerKeeper) down(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.why = why
}

// launch makes a router on a lease of its own, which gets no connections yet,
// with the first configuration that one can be made with. Only that is kept: a
// bad one must not cost the last good one.
func (k *routerKeeper) launch(ctx context.Context) (*runningRouter, error) {
	configs, err := k.config.read(ctx)
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, config := range configs {
		made, err := k.launchWith(config)
		if err == nil {
			k.config.keep(config)
			return made, nil
		}
		k.log.Error("no router can be made with its configuration", "error", err)
		refused = append(refused, err)
	}
	return nil, errors.Join(refused...)
}

func (k *routerKeeper) launchWith(config []byte) (*runningRouter, error) {
	lease := k.socket.Lease()
	made, err := k.make(config, lease)
	if err != nil {
		lease.release()
		return nil, err
	}
	return &runningRouter{Router: made, lease: lease, makeBeforeBreak: hasPolicy(config, policyMakeBeforeBreak)}, nil
}

// start brings a router up where there is none. It serves before it is ready:
// requests then wait in it, which is what routers do about names that they do
// not know yet.
func (k *routerKeeper) start(ctx context.Context) {
	started, err := k.launch(ctx)
	if err != nil {
		if ctx.Err() == nil {
			k.log.Error("the router does not start", "error", err)
			k.down(err.Error())
			rest(ctx, routerStartPause)
		}
		return
	}
	started.lease.TakeOver()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = started
	k.log.Info("router started", "incarnation", k.incarnation)
}

// replaceCurrent makes a new router on the same socket, and only when it is
// ready drains the old one. If it does not become ready the old one stays.
func (k *routerKeeper) replaceCurrent(ctx context.Context, old *runningRouter) {
	ready, cancel := context.WithTimeout(ctx, routerReadyLimit)
	defer cancel()
	next, err := k.launch(ready)
	if err != nil {
		k.log.Error("the router stays: no other can be made", "error", err)
		return
	}
	select {
	case <-next.Ready():
	case <-ready.Done():
		k.log.Error("the router stays: the one to replace it is not ready", "after", routerReadyLimit)
		next.kill()
		return
	}
	next.lease.TakeOver()
	k.mu.Lock()
	k.current = next
	k.incarnation++
	k.log.Info("router replaced", "incarnation", k.incarnation)
	k.mu.Unlock()

	draining, cancel := context.WithTimeout(ctx, routerDrainLimit)
	defer cancel()
	if err := old.Drain(draining); err != nil {
		k.log.Warn("draining the replaced router", "error", err)
	}
	old.kill()
}
