package router

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	// Compressed requests are taken apart here and go on uncompressed.
	_ "google.golang.org/grpc/encoding/gzip"

	"breakbank/platform/rpc"
	"breakbank/platform/wire"
)

const (
	// maxMessageBytes is gRPC's usual limit of 4 MiB, which the instances
	// enforce, and room for a message that is a little over it, so that it is
	// the instance that says so.
	maxMessageBytes = 4<<20 + 64<<10
	// maxStreams bounds the requests under way on one connection.
	maxStreams = 20_000
	// streamWorkersPerCPU is how many goroutines are kept at hand for requests,
	// whose stacks have grown already.
	streamWorkersPerCPU = 2
	// greetingWait bounds how long a client may take to begin to speak HTTP/2.
	greetingWait = 10 * time.Second
	// minPingEvery is how often a client may probe its connection.
	minPingEvery = time.Second

	// A channel tries again this often: it answers with its last failure until
	// it has succeeded, so its pauses must be short beside the time for which an
	// address is skipped, or one that is back would stay unreachable for both.
	redialMin = 50 * time.Millisecond
	redialMax = 250 * time.Millisecond

	// A connection with requests on it from which nothing was heard is probed
	// as often as a gRPC server allows that has not been told otherwise
	// (keepalive.EnforcementPolicy MinTime, 5 min). More than the probe does
	// what comes with it: grpc sets TCP_USER_TIMEOUT to the timeout, so that a
	// connection whose bytes are not acknowledged is given up.
	keepaliveAfter   = 5*time.Minute + time.Second
	keepaliveTimeout = 5 * time.Second

	// Windows wide enough for a few of the largest messages in flight. Fixed
	// ones switch off grpc's estimation, and with it a ping for every burst.
	streamWindowBytes     = 1 << 20
	connectionWindowBytes = 8 << 20
	ioBufferBytes         = 64 << 10
)

// rawPlane is the data plane raw-codec.
type rawPlane struct {
	router  *Router
	server  *grpc.Server
	methods methods
	// uploads are goroutines of streams, begun by handlers that have not returned:
	// they are waited for once all have.
	uploads sync.WaitGroup
}

func newRawPlane(r *Router) dataPlane {
	p := &rawPlane{router: r}
	p.server = grpc.NewServer(
		grpc.UnknownServiceHandler(p.handle),
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(greetingWait),
		grpc.MaxHeaderListSize(wire.MaxHeaderBytes),
		grpc.InitialWindowSize(streamWindowBytes),
		grpc.InitialConnWindowSize(connectionWindowBytes),
		grpc.ReadBufferSize(ioBufferBytes),
		grpc.WriteBufferSize(ioBufferBytes),
		// One that blocks in a stream is no loss: with all of them busy grpc
		// starts a goroutine, as it would without them.
		grpc.NumStreamWorkers(uint32(streamWorkersPerCPU*runtime.GOMAXPROCS(0))),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingEvery, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	return p
}

func (p *rawPlane) serve(l net.Listener) error {
	err := p.server.Serve(countedListener{l, &p.router.counters.connections})
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err //nolint:wrapcheck // the router says what it was doing
}

func (p *rawPlane) drain() {
	p.server.GracefulStop()
	p.uploads.Wait()
}

func (p *rawPlane) stop() {
	p.server.Stop()
	p.uploads.Wait()
}

// rawChannel is a grpc-go channel to an instance.
type rawChannel struct {
	plane  *rawPlane
	addr   string
	conn   *grpc.ClientConn // nil: the address cannot be dialled
	probes *atomic.Int32
}

// channel makes a channel whose :authority is the service's name, by which the
// instance knows that it was meant.
func (p *rawPlane) channel(service, addr string) channel {
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithAuthority(service),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: redialMin, Multiplier: 2, Jitter: 0.2, MaxDelay: redialMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveAfter, Timeout: keepaliveTimeout}),
		grpc.WithInitialWindowSize(streamWindowBytes),
		grpc.WithInitialConnWindowSize(connectionWindowBytes),
		grpc.WithReadBufferSize(ioBufferBytes),
		grpc.WithWriteBufferSize(ioBufferBytes),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		rpc.WatchWire(),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(rawCodec{}),
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes),
		),
	)
	if err != nil {
		p.router.log.Warn("an address cannot be dialled", "service", service, "addr", addr, "error", err)
	}
	return rawChannel{plane: p, addr: addr, conn: conn, probes: new(atomic.Int32)}
}

func (c rawChannel) connect() {
	if c.conn != nil {
		c.conn.Connect()
	}
}

func (c rawChannel) ready() bool { return c.conn != nil && c.conn.GetState() == connectivity.Ready }

// probe asks in a goroutine of its own, of which there are few at a time.
func (c rawChannel) probe(answer probeAnswer) {
	if c.conn == nil {
		return
	}
	if c.probes.Add(1) > maxProbes {
		c.probes.Add(-1)
		return
	}
	c.plane.uploads.Go(func() {
		defer c.probes.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var ask, reply message
		var trailer metadata.MD
		ctx = metadata.AppendToOutgoingContext(ctx, rpc.LoadWantMetadata, "1")
		if c.conn.Invoke(ctx, probeMethod, &ask, &reply, grpc.Trailer(&trailer)) != nil {
			return
		}
		reply.free()
		for _, raw := range trailer.Get(rpc.LoadTrailer) {
			if took, load, ok := parseLoad([]byte(raw)); ok {
				answer(c.addr, took, load)
			}
		}
	})
}

func (c rawChannel) close() {
	if c.conn != nil {
		_ = c.conn.Close() // it fails only if closed twice
	}
}
