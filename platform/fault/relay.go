package fault

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a relay.
const (
	// relayDialLimit bounds the connection from a relay to its target.
	relayDialLimit = 5 * time.Second
	// relayAcceptPause keeps a listener that fails (too many open files) from
	// spinning.
	relayAcceptPause = 10 * time.Millisecond
)

// Relay carries the TCP connections of one link, such as an API server's
// connection to etcd for one kind of object, and can break them. Left alone it
// changes nothing: bytes, half-closes and resets pass through.
//
//	caller ──── link (listener) ── relay ──── target
//
// What breaks a link here is on the wire, so that neither end can tell it
// from a network. It is a Link whose methods neither wait nor fail.
type Relay struct {
	name     string
	listener net.Listener
	target   func() string
	seed     uint64 // keys random draws by link

	life   context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	accepted uint64
	open     map[*connection]struct{}

	delay atomic.Pointer[latency] // nil: none
}

// NewRelay starts a relay on a listener, which it owns from now on. target is
// asked for the address (host:port) of each new connection's other end.
func NewRelay(l net.Listener, target func() string, name string) *Relay {
	key := fnv.New64a()
	_, _ = key.Write([]byte(name))
	life, cancel := context.WithCancel(context.Background())
	r := &Relay{
		name: name, listener: l, target: target, seed: key.Sum64(),
		life: life, cancel: cancel, open: make(map[*connection]struct{}),
	}
	r.work.Go(r.accept)
	return r
}

// Name is the name of the link.
func (r *Relay) Name() string { return r.name }

// Addr is the address (host:port) at which the link begins.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Connections is as Link says.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// Blackhole is as Link says.
func (r *Relay) Blackhole(context.Context) (Hole, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := &blackhole{}
	for c := range r.open {
		if c.dark.CompareAndSwap(nil, b) {
			b.connections = append(b.connections, c)
		}
	}
	return b, nil
}

// Latency is as Link says.
func (r *Relay) Latency(_ context.Context, delay, jitter time.Duration, seed uint64) (Delay, error) {
	l := &latency{delay: delay, jitter: jitter, seed: seed ^ r.seed, current: &r.delay}
	r.delay.Store(l)
	return l, nil
}

// Reset is as Link says.
func (r *Relay) Reset(context.Context) (int, error) { return r.reset(), nil }

func (r *Relay) reset() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		c.reset()
	}
	return len(r.open)
}

// Close ends the link and all its connections, and waits until they are gone.
func (r *Relay) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	err := r.listener.Close()
	r.reset()
	r.work.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close link %s: %w", r.name, err)
	}
	return nil
}

func (r *Relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !rest(r.life, relayAcceptPause) {
				return
			}
			continue
		}
		r.work.Go(func() { r.serve(conn) })
	}
}

// serve joins a connection to a new one to the target and carries bytes until
// both are done.
func (r *Relay) serve(from net.Conn) {
	dialer := net.Dialer{Timeout: relayDialLimit}
	to, err := dialer.DialContext(r.life, "tcp", r.target())
	if err != nil {
		abort(from)
		return
	}
	c := &connection{caller: from, target: to, done: make(chan struct{})}
	if !r.add(c) {
		c.reset()
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { c.carry(from, to, r.way(c, 0)) })
	ways.Go(func() { c.carry(to, from, r.way(c, 1)) })
	ways.Wait()
	c.close()
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
}

// way is the delay of one direction of a connection.
func (r *Relay) way(c *connection, direction uint64) *holdback {
	return &holdback{current: &r.delay, stream: c.number<<1 | direction}
}

func (r *Relay) add(c *connection) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.accepted++
	c.number = r.accepted
	r.open[c] = struct{}{}
	return true
}

// rest waits for d; false means that ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
