package router

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

const (
	// connectTimeout bounds one attempt to connect to an instance (Finagle,
	// tcp.connectTimeout = 1 s).
	connectTimeout = time.Second

	// An address that took no connection is skipped for 1 s, doubling to 32 s
	// (Finagle, FailFastFactory 1, 2, 4, 8, 16, 32 s), unless all the others
	// took none either.
	skipMin = time.Second
	skipMax = 32 * time.Second

	// The channel meanwhile tries again this often: it answers with its last
	// failure until it has succeeded, so its pauses must be short beside the
	// skip's, or an address that is back would stay unreachable for both.
	redialMin = 50 * time.Millisecond
	redialMax = 250 * time.Millisecond

	// unreachableAfter is how long an attempt must have waited for a connection
	// for its end, on the caller's side, to count against the address: many
	// times what a connection inside a data centre takes.
	unreachableAfter = 250 * time.Millisecond

	// evidenceEvery bounds how often one address is reported to discovery.
	evidenceEvery = time.Second

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

// endpoint is one instance of one service, with the connection to it. What
// changes is guarded by the service's lock.
type endpoint struct {
	discovery.Endpoint

	// conn is nil until the endpoint is first used: a table has many names of
	// which a node uses few. Who has picked the endpoint may read it.
	conn *grpc.ClientConn

	active  int  // attempts under way
	retired bool // left the table; close when the last attempt ends

	failures   int // to connect, in a row
	skipUntil  time.Time
	reportedAt time.Time
}

// open makes the channel if there is none. Its :authority is the service's
// name, by which the instance knows that it was meant.
func (e *endpoint) open(service string) error {
	if e.conn != nil {
		return nil
	}
	conn, err := grpc.NewClient("passthrough:///"+e.Addr,
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
		return fmt.Errorf("dial %s: %w", e.Addr, err)
	}
	e.conn = conn
	return nil
}

// close ends the connection, if there is one; nothing is under way on it.
func (e *endpoint) close() {
	if e.conn != nil {
		_ = e.conn.Close() // it fails only if closed twice
	}
}

// unreachable notes that the address took no connection.
func (e *endpoint) unreachable(now time.Time) {
	if now.Before(e.skipUntil) {
		return // still the same failure
	}
	e.skipUntil = now.Add(min(skipMin<<e.failures, skipMax))
	if e.failures < 5 { // 1 s << 5 is the maximum
		e.failures++
	}
}

func (e *endpoint) reached() { e.failures, e.skipUntil = 0, time.Time{} }
