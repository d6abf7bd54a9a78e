package clientside

import (
	"context"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	naming "go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"

	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
	"breakbank/platform/rpc"
)

const (
	// namingScheme is the one that etcd's resolver answers to.
	namingScheme = "etcd"
	// namingPrefix is where the endpoints controller writes what serves.
	namingPrefix = "/naming/"
	// namingAgain is the pause before an etcd that could not be read at all is
	// tried again. The resolver itself never tries again.
	namingAgain = time.Second
	// namingConnectTimeout is grpc-go's own (MinConnectTimeout, 20 s).
	namingConnectTimeout = 20 * time.Second
)

// namingChannel dials as grpc-go's users do: etcd's naming resolver,
// round_robin, and grpc-go's own pauses.
func (c *Caller) namingChannel(service string) rpc.Channel {
	calls := namingCalls{c, service}
	return rpc.Channel{
		Target: namingScheme + ":///" + namingPrefix + service,
		Options: []grpc.DialOption{
			grpc.WithResolvers(resolverBuilder{c, namingScheme}),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: namingConnectTimeout}),
			grpc.WithChainUnaryInterceptor(calls.unary),
			grpc.WithChainStreamInterceptor(calls.stream),
		},
	}
}

// namingLibrary is the library whose parts are not ours: an etcd client, and
// its naming resolver in each channel. What is known of their state is what
// the resolver tells grpc-go, which is listened to: it says nothing while
// nothing changes, nor when it has stopped for good.
type namingLibrary struct {
	caller      *Caller
	incarnation *Incarnation
	etcd        *clientv3.Client // nil: it could not be made, and why says so
	why         string

	mu    sync.Mutex
	known map[string]namingEntry
}

// namingEntry is what the resolver last said of a service.
type namingEntry struct {
	addrs []string
	at    time.Time
}

func newNaming(c *Caller, i *Incarnation) *namingLibrary {
	l := &namingLibrary{caller: c, incarnation: i, known: map[string]namingEntry{}}
	etcd, err := c.plane.options.NamingClient()
	if err != nil {
		c.log.Error("no etcd to find instances in", "error", err)
		l.why = err.Error()
		return l
	}
	l.etcd = etcd
	return l
}

// open lets etcd's resolver feed a channel, until the channel is closed or the
// library is another. Before it answers for the first time, that resolver
// waits for etcd without a limit, which only closing the client ends.
func (l *namingLibrary) open(ctx context.Context, ch *channel) {
	if l.etcd == nil {
		ch.update(resolver.State{})
		return
	}
	builder, _ := naming.NewBuilder(l.etcd) // It never fails.
	target := resolver.Target{}
	target.URL.Scheme, target.URL.Path = namingScheme, "/"+namingPrefix+ch.service
	cc := listened{ClientConn: ch.cc, library: l, service: ch.service}
	for ctx.Err() == nil && l.caller.current() == library(l) {
		made, err := builder.Build(target, cc, resolver.BuildOptions{})
		if err != nil {
			l.caller.log.Warn("etcd's naming resolver", "service", ch.service, "error", err)
			if !rest(ctx, namingAgain) {
				return
			}
			continue
		}
		// Until somebody wants the channel looked at: another library.
		select {
		case <-ctx.Done():
		case <-ch.look:
			ch.poke()
		}
		made.Close()
		return
	}
	ch.poke()
}

// listened passes on what the resolver says, and notes it.
type listened struct {
	resolver.ClientConn
	library *namingLibrary
	service string
}

func (l listened) UpdateState(s resolver.State) error {
	entry := namingEntry{at: time.Now()}
	for _, e := range s.Endpoints {
		for _, a := range e.Addresses {
			entry.addrs = append(entry.addrs, a.Addr)
		}
	}
	slices.Sort(entry.addrs)
	l.library.mu.Lock()
	l.library.known[l.service] = entry
	l.library.mu.Unlock()
	return l.ClientConn.UpdateState(s)
}

// ready: there is nothing to wait for, each name is asked for by itself.
func (l *namingLibrary) ready() bool { return true }

// state is as old as the oldest of what the resolvers said: they cannot tell
// silence from nothing new.
func (l *namingLibrary) state() discovery.State {
	s := discovery.State{Basis: discovery.FromSource, Source: feed.EtcdNaming, Synced: l.etcd != nil, Detail: l.why}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, entry := range l.known {
		if s.HeardAt.IsZero() || entry.at.Before(s.HeardAt) {
			s.HeardAt = entry.at
		}
	}
	if l.etcd != nil {
		s.Detail = "etcd's naming resolver, one a channel"
	}
	return s
}

func (l *namingLibrary) addresses() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string][]string, len(l.known))
	for service, entry := range l.known {
		all[service] = slices.Clone(entry.addrs)
	}
	return all
}

// etcdReads are none that count: etcd is where this arm reads everything.
func (l *namingLibrary) etcdReads() int64 { return 0 }

func (l *namingLibrary) close() {
	if l.etcd != nil {
		_ = l.etcd.Close() // It reports that its context has ended.
	}
}

// heard is when the resolver last said anything of a service.
func (l *namingLibrary) heard(service string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[service].at
}

// namingCalls add provenance to the calls of one channel, and count them. How
// a failure is classed is the dialer's, as on a channel to a router.
type namingCalls struct {
	caller  *Caller
	service string
}

func (c namingCalls) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	own := c.count()
	var trailer metadata.MD
	err := invoke(ctx, method, req, reply, cc, append(opts[:len(opts):len(opts)], grpc.Trailer(&trailer))...)
	setTrailers(opts, metadata.Join(trailer, own))
	return err
}

func (c namingCalls) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	own := c.count()
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, err
	}
	return namingStream{s, own}, nil
}

// count counts a call, and says what it rests on.
func (c namingCalls) count() metadata.MD {
	l, ok := c.caller.current().(*namingLibrary)
	if !ok {
		return nil
	}
	l.incarnation.requests.Add(1)
	l.incarnation.attempts.Add(1)
	own := rpc.Provenance{Attempts: 1}
	if at := l.heard(c.service); !at.IsZero() {
		own.Route, own.Age = router.RouteOf(discovery.State{Basis: discovery.FromSource, HeardAt: at}, time.Now())
	}
	return own.Metadata()
}

type namingStream struct {
	grpc.ClientStream
	own metadata.MD
}

func (s namingStream) Trailer() metadata.MD { return metadata.Join(s.ClientStream.Trailer(), s.own) }

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
