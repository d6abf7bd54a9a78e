package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// Targets are the addresses of the edges, one a zone, each as host:port.
// Customer i enters at i mod their number and nowhere else: there is no
// fail-over, as there was none for a data centre's line to the card network.
type Targets struct {
	CardNet, FPS, Gateway []string
}

// Bounds of the connections.
const (
	// connsPerEdge spreads the calls of one edge, so that one TCP stream's
	// head-of-line blocking is not all of it.
	connsPerEdge = 2
	// redialMax is how long a lost connection waits at most before it is dialled
	// again; a call in between fails at once.
	redialMax  = 200 * time.Millisecond
	redialBase = 20 * time.Millisecond
	// dialTimeout is for a connection, which on one machine takes microseconds.
	dialTimeout = time.Second
	// idleHTTPPerEdge is how many idle connections to a gateway are kept;
	// with fewer than are in use, a burst would pay for connecting.
	idleHTTPPerEdge = 512
	idleHTTPTimeout = 90 * time.Second
)

// edges are the open connections to the bank. Safe for concurrent use.
type edges struct {
	cardNet, fps [][]*grpc.ClientConn // by zone, connsPerEdge each
	gateway      []*url.URL           // by zone
	http         *http.Transport
}

// dial opens the connections that the mix of a schedule can use. They are made
// in the background; settle waits for them.
func dial(t Targets, need [JourneyCount]bool) (*edges, error) {
	e := &edges{http: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: idleHTTPPerEdge,
		IdleConnTimeout:     idleHTTPTimeout,
		DisableCompression:  true,
	}}
	if err := e.open(t, need); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *edges) open(t Targets, need [JourneyCount]bool) error {
	var err error
	if need[CardTap] || need[PrepaidTap] {
		if e.cardNet, err = openGRPC("cardnet", t.CardNet); err != nil {
			return err
		}
	}
	if need[TransferIn] {
		if e.fps, err = openGRPC("fps", t.FPS); err != nil {
			return err
		}
	}
	if !need[TransferOut] && !need[AppRefresh] && !need[CopsLookup] {
		return nil
	}
	if len(t.Gateway) == 0 {
		return errors.New("the load needs a gateway, and no address is given")
	}
	for _, addr := range t.Gateway {
		if err := checkAddress("gateway", addr); err != nil {
			return err
		}
		e.gateway = append(e.gateway, &url.URL{Scheme: "http", Host: addr, Path: "/graphql"})
	}
	return nil
}

// openGRPC opens the connections to one edge's instances. They are returned
// with an error too, for closing.
func openGRPC(service string, addrs []string) ([][]*grpc.ClientConn, error) {
	if len(addrs) == 0 {
		return nil, fmt.Errorf("the load needs a %s, and no address is given", service)
	}
	zones := make([][]*grpc.ClientConn, len(addrs))
	for zone, addr := range addrs {
		if err := checkAddress(service, addr); err != nil {
			return zones, err
		}
		for range connsPerEdge {
			conn, err := grpc.NewClient("passthrough:///"+addr,
				grpc.WithTransportCredentials(insecure.NewCredentials()),
				// A server executes only what names its service.
				grpc.WithAuthority(service),
				grpc.WithContextDialer(dialTCP),
				grpc.WithConnectParams(grpc.ConnectParams{
					Backoff:           backoff.Config{BaseDelay: redialBase, Multiplier: 2, Jitter: 0.2, MaxDelay: redialMax},
					MinConnectTimeout: dialTimeout,
				}),
				grpc.WithIdleTimeout(0),
				grpc.WithDisableServiceConfig(),
				grpc.WithDisableRetry(),
				grpc.WithStatsHandler(fateHandler{}),
			)
			if err != nil {
				return zones, fmt.Errorf("connect to %s at %s: %w", service, addr, err)
			}
			zones[zone] = append(zones[zone], conn)
			conn.Connect()
		}
	}
	return zones, nil
}

func checkAddress(service, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("the address of a %s must be host:port: %w", service, err)
	}
	return nil
}

func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", addr)
}

// settle waits until every connection is up or has failed once, or ctx ends.
func (e *edges) settle(ctx context.Context) {
	for _, zones := range [][][]*grpc.ClientConn{e.cardNet, e.fps} {
		for _, conns := range zones {
			for _, conn := range conns {
				for state := conn.GetState(); state == connectivity.Idle || state == connectivity.Connecting; state = conn.GetState() {
					if !conn.WaitForStateChange(ctx, state) {
						return
					}
				}
			}
		}
	}
}

// close closes all connections. No journey may be under way.
func (e *edges) close() {
	for _, zones := range [][][]*grpc.ClientConn{e.cardNet, e.fps} {
		for _, conns := range zones {
			for _, conn := range conns {
				conn.Close()
			}
		}
	}
	e.http.CloseIdleConnections()
}

// pick is the connection of an arrival: its customer's zone, and there one of
// the few in turn.
func pick(zones [][]*grpc.ClientConn, v *visit) *grpc.ClientConn {
	conns := zones[int(v.arrival.Customer)%len(zones)]
	return conns[v.seq%len(conns)]
}
