package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// GRPCGo is the transport on grpc-go's client, and net/http's for what is not
// gRPC: a goroutine a call.
type GRPCGo struct {
	targets [][]*channel // by target, by address
	scheme  string
	http    *http.Transport
	calls   sync.WaitGroup

	mu     sync.Mutex
	base   context.Context // of the calls under way
	giveUp context.CancelFunc
	closed bool
}

// channel is the connections to one address.
type channel struct {
	name  string
	conns []*grpc.ClientConn
}

// idleHTTP is how many idle connections to one address net/http keeps; with
// fewer than are in use, a burst would pay for connecting.
const idleHTTP = 512

// NewGRPCGo starts to connect.
func NewGRPCGo(c Config) (*GRPCGo, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialLimit}
	g := &GRPCGo{scheme: "http", http: &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: idleHTTP, DisableCompression: true,
		TLSClientConfig: c.TLS,
	}}
	g.base, g.giveUp = context.WithCancel(context.Background())
	secure := insecure.NewCredentials()
	if c.TLS != nil {
		secure, g.scheme = credentials.NewTLS(c.TLS), "https"
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		var channels []*channel
		for _, address := range t.Addresses {
			ch := &channel{name: address}
			channels = append(channels, ch)
			for range max(1, t.Connections) {
				conn, err := grpc.NewClient("passthrough:///"+address,
					grpc.WithTransportCredentials(secure),
					grpc.WithUserAgent(userAgent),
					grpc.WithConnectParams(grpc.ConnectParams{
						Backoff:           backoff.Config{BaseDelay: redialBase, Multiplier: 2, Jitter: 0.2, MaxDelay: redialMax},
						MinConnectTimeout: dialLimit,
					}),
					grpc.WithIdleTimeout(0), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
					grpc.WithStatsHandler(traceHandler{}),
					grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(replyLimit)),
				)
				if err != nil {
					g.Close()
					return nil, fmt.Errorf("connect to %s: %w", address, err)
				}
				ch.conns = append(ch.conns, conn)
				conn.Connect()
			}
		}
		g.targets = append(g.targets, channels)
	}
	return g, nil
}

// replyLimit bounds one message of an answer.
const replyLimit = 64 << 20

// Begin implements Transport.
func (g *GRPCGo) Begin(b *Batch, c *Call) {
	channels := g.targets[c.Target]
	c.SentAt, c.Fate, c.Code, c.Message, c.Status = time.Time{}, Unsent, codes.Unavailable, "", 0
	c.Reply, c.ReplyBytes, c.Messages, c.Fields = c.Reply[:0], 0, 0, c.Fields[:0]
	g.mu.Lock()
	if g.closed || len(channels) == 0 {
		g.mu.Unlock()
		c.Message = "no address, or the transport is closed"
		c.Owner.Done(b, c)
		return
	}
	base := g.base
	g.calls.Add(1)
	g.mu.Unlock()
	go func() {
		defer g.calls.Done()
		g.perform(base, channels[c.Shard%len(channels)], c)
		var b Batch
		c.Owner.Done(&b, c)
		b.Flush()
	}()
}

// perform makes a call.
func (g *GRPCGo) perform(base context.Context, ch *channel, c *Call) {
	ctx, cancel := context.WithCancel(base) // ends an answer that is left
	defer cancel()
	if !c.Deadline.IsZero() {
		ctx, cancel = context.WithDeadline(base, c.Deadline)
		defer cancel()
	}
	c.SentAt = time.Now()
	if c.Head.Kind == HTTP {
		g.post(ctx, ch, c)
	} else {
		invoke(ctx, ch.conns[c.Turn%len(ch.conns)], c)
	}
	if c.Fate == Unsent {
		c.SentAt = time.Time{}
	}
	if base.Err() != nil && c.Code == codes.Canceled { // given up
		c.Code = codes.DeadlineExceeded
	}
}

// invoke makes a gRPC call: every message, then the half-close, then all that
// comes back.
func invoke(ctx context.Context, conn *grpc.ClientConn, c *Call) {
	trace := &callTrace{}
	ctx = context.WithValue(metadata.NewOutgoingContext(ctx, c.metadata()), traceKey{}, trace)
	stream, err := conn.NewStream(ctx, &bothWays, c.Head.Path, callOptions(c)...)
	if err == nil {
		if err = c.exchange(stream); !c.tooLong() { // else its trailers may just be coming
			c.keep(stream)
		}
	}
	c.Code = status.Code(err)
	c.Message = status.Convert(err).Message()
	c.Fate = trace.fate()
	if err == nil {
		c.Fate, c.Status = Answered, http.StatusOK
	} else if c.tooLong() {
		c.Fate = Lost
	}
}

// tooLong says that the answer is longer than what is kept of it.
func (c *Call) tooLong() bool { return c.ReplyMax > 0 && len(c.Reply) > c.ReplyMax }

var bothWays = grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

func callOptions(c *Call) []grpc.CallOption {
	if c.Head.Authority == "" {
		return nil
	}
	return []grpc.CallOption{grpc.CallAuthority(c.Head.Authority)}
}

func (c *Call) metadata() metadata.MD {
	md := metadata.MD{}
	for _, f := range c.Head.Metadata {
		md.Append(f.Name, f.Value)
	}
	for _, f := range c.Extra {
		md.Append(f.Name, f.Value)
	}
	return md
}

// exchange sends the request's messages and reads the answer's.
func (c *Call) exchange(stream grpc.ClientStream) error {
	for rest := c.Request; len(rest) >= PrefixBytes; {
		n := messageBytes(rest)
		if err := stream.SendMsg(rest[PrefixBytes:n]); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		rest = rest[n:]
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		var message []byte
		switch err := stream.RecvMsg(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		c.Messages++
		c.ReplyBytes += int64(PrefixBytes + len(message))
		if c.ReplyMax > 0 && len(c.Reply) <= c.ReplyMax {
			c.Reply, _ = AppendMessage(c.Reply, func(b []byte) ([]byte, error) { return append(b, message...), nil })
		}
		if c.tooLong() {
			return status.Errorf(codes.ResourceExhausted, "the answer is longer than %d bytes", c.ReplyMax)
		}
	}
}

// keep keeps the headers and trailers.
func (c *Call) keep(stream grpc.ClientStream) {
	if header, err := stream.Header(); err == nil {
		c.addFields(header)
	}
	c.addFields(stream.Trailer())
}

// Settle implements Transport.
func (g *GRPCGo) Settle(ctx context.Context) error {
	for _, channels := range g.targets {
		var failed error
		connected := len(channels) == 0
		for _, ch := range channels {
			for _, conn := range ch.conns {
				switch state := settled(ctx, conn); {
				case state == connectivity.Ready:
					connected = true
				case failed == nil:
					failed = ch.why(ctx)
				}
			}
		}
		if !connected {
			return failed
		}
	}
	return nil
}

func settled(ctx context.Context, conn *grpc.ClientConn) connectivity.State {
	state := conn.GetState()
	for state == connectivity.Idle || state == connectivity.Connecting {
		if !conn.WaitForStateChange(ctx, state) {
			break
		}
		state = conn.GetState()
	}
	return state
}

// why says why there is no connection, which grpc-go does not tell.
func (ch *channel) why(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", ch.name)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", ch.name, err)
	}
	conn.Close()
	return fmt.Errorf("connect to %s: it takes connections, but does not speak HTTP/2 on them (TLS against cleartext?)", ch.name)
}

// GiveUp implements Transport.
func (g *GRPCGo) GiveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.giveUp()
	g.base, g.giveUp = context.WithCancel(context.Background())
}

// Close implements Transport.
func (g *GRPCGo) Close() {
	g.mu.Lock()
	g.closed = true
	g.giveUp()
	g.mu.Unlock()
	g.calls.Wait()
	for _, channels := range g.targets {
		for _, ch := range channels {
			for _, conn := range ch.conns {
				conn.Close()
			}
		}
	}
	g.http.CloseIdleConnections()
}
