package clientside

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/resolver"

	"breakbank/platform/rpc"
)

const (
	// scheme is that of the targets, bb:///ledger.
	scheme = "bb"
	// maxWaiting bounds the calls of an instance that wait for a better table
	// (as in a router).
	maxWaiting = 10_000
	// downWait is how long a call waits while there is no library: as long as
	// one waits that could not be sent to a router (platform/rpc).
	downWait = 500 * time.Millisecond

	// connectTimeout and the pauses between attempts to connect are a router's
	// (platform/router).
	connectTimeout = time.Second
	redialMin      = 50 * time.Millisecond
	redialMax      = 250 * time.Millisecond
)

var errTooManyWaiting = errors.New("too many calls wait for a route already")

// Caller is the data plane in one instance. It is safe for concurrent use.
type Caller struct {
	plane             *Plane
	service, instance string
	log               *slog.Logger
	joined            sync.Once
	waiting           atomic.Int64

	mu       sync.Mutex
	library  library // nil: none now
	channels map[string]*channel
	changed  chan struct{} // closed and replaced when anything may be better
}

var _ rpc.Plane = (*Caller)(nil)

// Channel says how a service is dialled. The first one lets the caller's
// library start: an instance that calls nobody needs no table.
func (c *Caller) Channel(service string) rpc.Channel {
	c.joined.Do(func() { c.plane.join(c) })
	if c.plane.naming() {
		return c.namingChannel(service)
	}
	calls := calls{caller: c, service: service}
	return rpc.Channel{
		Target: scheme + ":///" + service,
		Options: []grpc.DialOption{
			grpc.WithResolvers(resolverBuilder{c, scheme}),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"` + balancerName + `":{}}]}`),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: redialMin, Multiplier: 2, Jitter: 0.2, MaxDelay: redialMax},
				MinConnectTimeout: connectTimeout,
			}),
			grpc.WithChainUnaryInterceptor(calls.unary),
			grpc.WithChainStreamInterceptor(calls.stream),
		},
		Routed: true,
	}
}

// Close ends the caller's library and waits for it.
func (c *Caller) Close() { c.plane.leave(c) }

// install gives the caller another library, nil for none.
func (c *Caller) install(l library) {
	c.mu.Lock()
	same := c.library == l
	c.library = l
	c.mu.Unlock()
	if !same {
		c.announce()
		c.refresh(nil)
	}
}

func (c *Caller) current() library {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.library
}

// currentTable is the library as one that is driven here, nil if there is none.
func (c *Caller) currentTable() *table {
	t, _ := c.current().(*table)
	return t
}

// refresh has the channels to the named services looked at anew, nil for all.
// It does not wait for that.
func (c *Caller) refresh(services map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, ch := range c.channels {
		if services == nil || services[name] {
			ch.poke()
		}
	}
}

func (c *Caller) add(ch *channel) {
	c.mu.Lock()
	c.channels[ch.service] = ch
	c.mu.Unlock()
	ch.poke()
}

func (c *Caller) remove(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels[ch.service] == ch {
		delete(c.channels, ch.service)
	}
}

// changes returns a channel that is closed when anything may be better. Take
// it before looking, or a change in between is missed.
func (c *Caller) changes() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *Caller) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// await waits until something changes. It returns false when the deadline has
// passed, and an error when ctx ends or too many wait.
func (c *Caller) await(ctx context.Context, changed <-chan struct{}, deadline time.Time) (bool, error) {
	left := time.Until(deadline)
	if left <= 0 {
		return false, nil
	}
	if c.waiting.Add(1) > maxWaiting {
		c.waiting.Add(-1)
		return false, errTooManyWaiting
	}
	defer c.waiting.Add(-1)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-changed:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// channel is a gRPC channel of the caller, and the resolver in it. What is to
// become of its addresses is seen to by one goroutine, since grpc-go waits for
// the balancer when it is told of them.
type channel struct {
	caller  *Caller
	service string
	cc      resolver.ClientConn
	look    chan struct{} // holds a token when it is to be looked at
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// resolverBuilder makes channel's resolvers.
type resolverBuilder struct {
	caller *Caller
	scheme string
}

func (b resolverBuilder) Scheme() string { return b.scheme }

func (b resolverBuilder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, stop := context.WithCancel(context.Background())
	ch := &channel{caller: b.caller, service: serviceOf(target), cc: cc, look: make(chan struct{}, 1), stop: stop}
	ch.work.Go(func() { ch.run(ctx) })
	b.caller.add(ch)
	return ch, nil
}

// run lets the library that there is see to the channel, whenever it is to be
// looked at.
func (ch *channel) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ch.look:
		}
		if l := ch.caller.current(); l != nil {
			l.open(ctx, ch)
		} else {
			ch.update(resolver.State{})
		}
	}
}

// update tells grpc-go of addresses. That there are none is an error to some
// balancers, which say so to the calls.
func (ch *channel) update(s resolver.State) { _ = ch.cc.UpdateState(s) }

func (ch *channel) poke() {
	select {
	case ch.look <- struct{}{}:
	default:
	}
}

// ResolveNow is a hint that is not needed: changes come by themselves.
func (ch *channel) ResolveNow(resolver.ResolveNowOptions) {}

// Close ends the resolver and waits for it.
func (ch *channel) Close() {
	ch.caller.remove(ch)
	ch.stop()
	ch.work.Wait()
}
