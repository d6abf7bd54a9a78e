package router

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"breakbank/platform/router/discovery"
)

const (
	// connectTimeout bounds one attempt to connect to an instance (Finagle,
	// tcp.connectTimeout = 1 s).
	connectTimeout = time.Second

	// An address that refused is left alone for 1 s, doubling to 32 s
	// (Finagle, FailFastFactory 1, 2, 4, 8, 16, 32 s), unless all the others
	// refused too.
	refusedBackoffMin = time.Second
	refusedBackoffMax = 32 * time.Second

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
	conn *grpc.ClientConn

	active  int  // attempts under way
	retired bool // left the table; close when the last attempt ends

	refusals     int // in a row
	refusedUntil time.Time
	reportedAt   time.Time
}

// newEndpoint prepares a connection, which is made when it is first used. Its
// :authority is the service's name, by which the instance knows that it was
// meant.
func newEndpoint(service string, e discovery.Endpoint) (*endpoint, error) {
	conn, err := grpc.NewClient("passthrough:///"+e.Addr,
		grpc.WithAuthority(service),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: refusedBackoffMin, Multiplier: 2, Jitter: 0.2, MaxDelay: refusedBackoffMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveAfter, Timeout: keepaliveTimeout}),
		grpc.WithInitialWindowSize(streamWindowBytes),
		grpc.WithInitialConnWindowSize(connectionWindowBytes),
		grpc.WithReadBufferSize(ioBufferBytes),
		grpc.WithWriteBufferSize(ioBufferBytes),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(rawCodec{}),
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes),
		),
	)
	if err != nil {
		return nil, err
	}
	return &endpoint{Endpoint: e, conn: conn}, nil
}

// refused notes that the address did not take a connection.
func (e *endpoint) refused(now time.Time) {
	if now.Before(e.refusedUntil) {
		return // still the same refusal
	}
	e.refusedUntil = now.Add(min(refusedBackoffMin<<e.refusals, refusedBackoffMax))
	if e.refusals < 5 { // 1 s << 5 is the maximum
		e.refusals++
	}
}

func (e *endpoint) reached() { e.refusals, e.refusedUntil = 0, time.Time{} }
