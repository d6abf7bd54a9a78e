package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

// slot is a place for one connection, which is made again when it is lost.
type slot struct {
	address *address
	conn    atomic.Pointer[wire.Conn] // nil: there is none to send on
	// hopes says that a connection is being made and that no attempt at it has
	// failed: calls wait for it, as grpc-go's do. After a failure they fail at
	// once, until there is one.
	hopes atomic.Bool
	tried chan struct{} // closed when the first attempt has ended
	once  sync.Once

	mu      sync.Mutex
	failure error
}

func newSlot(a *address) *slot {
	s := &slot{address: a, tried: make(chan struct{})}
	s.hopes.Store(true)
	return s
}

func (s *slot) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

func (s *slot) failed(err error) {
	s.mu.Lock()
	s.failure = err
	s.mu.Unlock()
}

// keep has the slot connected until ctx ends.
func (s *slot) keep(ctx context.Context) {
	var leaving sync.WaitGroup
	defer leaving.Wait()
	defer func() { s.despair(context.Canceled) }()
	wait := redialBase
	for ctx.Err() == nil {
		l, err := s.dial(ctx)
		if err != nil {
			s.despair(err)
			s.once.Do(func() { close(s.tried) })
			if !pause(ctx, wait) {
				return
			}
			wait = min(2*wait, redialMax)
			continue
		}
		made := time.Now()
		s.conn.Store(l.conn)
		s.once.Do(func() { close(s.tried) })
		s.hopes.Store(false)
		s.admit()
		select {
		case <-l.closed:
		case <-l.draining:
		case <-ctx.Done():
		}
		s.failed(fmt.Errorf("connection to %s lost: %w", s.address.name, cause(l.conn)))
		s.hopes.Store(true)
		s.conn.Store(nil)
		leaving.Go(func() { l.leave(ctx) })
		if time.Since(made) >= redialBase {
			wait = redialBase // What has held so long is dialled again at once.
			continue
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, redialMax)
	}
}

// despair notes that there is no connection, and lets those that wait know.
func (s *slot) despair(why error) {
	s.failed(why)
	s.hopes.Store(false)
	s.admit()
}

// admit lets those that wait go, or fail.
func (s *slot) admit() {
	var b Batch
	s.address.freed(&b)
	b.Flush()
}

// cause is why a connection is over, or that its peer wants no more of it.
func cause(c *wire.Conn) error {
	if err := c.Err(); err != nil {
		return err
	}
	return wire.ErrDraining
}

// leave lets the calls on a connection end, and closes it.
func (l *line) leave(ctx context.Context) {
	if ctx.Err() == nil {
		l.conn.Drain()
		select {
		case <-l.closed:
		case <-ctx.Done():
		}
	}
	l.conn.Close()
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dial makes a connection and waits for the peer's greeting: before it, nobody
// knows that a server of HTTP/2 is there.
func (s *slot) dial(ctx context.Context) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "tcp", s.address.name)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.address.name, err)
	}
	if s.address.tls != nil {
		if nc, err = s.secure(ctx, nc); err != nil {
			return nil, err
		}
	}
	l := &line{address: s.address, closed: make(chan struct{}), draining: make(chan struct{})}
	l.conn = wire.NewClient(nc, wire.Config{Handler: l})
	if err := l.conn.Greeted(ctx); err != nil {
		l.conn.Close()
		return nil, fmt.Errorf("connect to %s: it does not speak HTTP/2 %s: %w", s.address.name, s.how(), err)
	}
	return l, nil
}

func (s *slot) how() string {
	if s.address.tls != nil {
		return "over TLS"
	}
	return "in clear (does it want TLS?)"
}

// secure speaks TLS on a connection.
func (s *slot) secure(ctx context.Context, nc net.Conn) (net.Conn, error) {
	config := s.address.tls.Clone()
	config.NextProtos = []string{"h2"}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(s.address.name)
	}
	secured := tls.Client(nc, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		var record tls.RecordHeaderError
		if errors.As(err, &record) {
			return nil, fmt.Errorf("connect to %s: it does not speak TLS (is it in clear?): %w", s.address.name, err)
		}
		return nil, fmt.Errorf("connect to %s over TLS: %w", s.address.name, err)
	}
	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		_ = secured.Close() // it is of no use
		return nil, fmt.Errorf("connect to %s over TLS: the server does not offer HTTP/2", s.address.name)
	}
	return secured, nil
}

// line is one connection: the handler of what comes in on it.
type line struct {
	address          *address
	conn             *wire.Conn
	closed, draining chan struct{}
	drained          sync.Once
}

// Headers implements wire.Handler.
func (l *line) Headers(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	c := s.User.(*Call)
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.Fields = append(c.Fields, fields...)
	if end {
		c.completeLocked(b)
	}
	c.mu.Unlock()
	if end {
		l.done(b, c)
	}
}

// Data implements wire.Handler.
func (l *line) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	c := s.User.(*Call)
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.ReplyBytes += int64(len(p))
	if c.Head.Kind == GRPC {
		c.prefix.take(p)
	}
	if c.ReplyMax > 0 && len(c.Reply) <= c.ReplyMax {
		c.Reply = append(c.Reply, p[:min(len(p), c.ReplyMax+1-len(c.Reply))]...)
	}
	s.Consume(b, len(p))
	if end {
		c.completeLocked(b)
	}
	c.mu.Unlock()
	if end {
		l.done(b, c)
	}
}

// completeLocked reads an answer that is complete. If the request is not, its
// stream ends here, before anybody is told: the next call may want its place.
// c.mu is held.
func (c *Call) completeLocked(b *Batch) {
	if c.partial {
		c.stream.Reset(b, http2.ErrCodeNo)
	}
	c.answeredLocked()
}

// Ended implements wire.Handler.
func (l *line) Ended(b *wire.Batch, s *wire.Stream, why wire.Ending) {
	c := s.User.(*Call)
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.Fate = Lost
	if why.Kind == wire.Unprocessed {
		c.Fate = Unsent
		if why.Err != nil { // No byte of it was offered to the socket.
			c.SentAt = time.Time{}
		}
	}
	c.failLocked(codeOfEnding(why, c.Deadline), why.String())
	c.mu.Unlock()
	l.done(b, c)
}

func (l *line) done(b *Batch, c *Call) {
	c.Owner.Done(b, c)
	l.address.freed(b)
}

// Sent implements wire.Handler.
func (*line) Sent(*wire.Batch, *wire.Stream, int) {}

// Draining implements wire.Handler.
func (l *line) Draining(*wire.Conn) { l.drained.Do(func() { close(l.draining) }) }

// Closed implements wire.Handler.
func (l *line) Closed(*wire.Conn, error) { close(l.closed) }
