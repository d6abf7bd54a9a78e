package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"

	"breakbank/platform/wire"
)

const (
	// maxConnections bounds the connections to one instance. There is one, and
	// another only when an instance allows no more streams on those there are.
	maxConnections = 8
	// redialAfter is how long the failure of a dial is the answer to whoever
	// asks next.
	redialAfter = 50 * time.Millisecond
)

// errNoConnection says that there is no connection yet.
var errNoConnection = errors.New("no connection")

// pool is the way to one instance for the data plane frames.
type pool struct {
	plane *frames
	addr  string
	conns atomic.Pointer[[]*wire.Conn]
	// probes under way.
	probes atomic.Int32

	mu       sync.Mutex
	dial     *dial // under way; nil: none
	failed   error // of the last dial, until redialAfter
	failedAt time.Time
	closed   bool
}

// dial is one attempt to connect, for all who want it.
type dial struct {
	done chan struct{}
	err  error
}

func (f *frames) channel(_, addr string) channel {
	p := &pool{plane: f, addr: addr}
	p.conns.Store(&[]*wire.Conn{})
	return p
}

// open opens a stream on a connection there is.
func (p *pool) open(b *wire.Batch, x asked, fields []hpack.HeaderField, end bool) (*wire.Stream, error) {
	err := errNoConnection
	for _, c := range *p.conns.Load() {
		var s *wire.Stream
		if s, err = c.Open(b, x, fields, end); err == nil {
			return s, nil
		}
		if errors.Is(err, wire.ErrDraining) {
			p.forget(c) // of its own accord: it has no ids left for streams
		}
	}
	return nil, err
}

func (p *pool) ready() bool { return len(*p.conns.Load()) > 0 }

func (p *pool) connect() {
	if !p.ready() {
		_, _ = p.join() // whoever needs it will hear of a failure
	}
}

// await waits until there is a connection that takes a stream, or for the
// failure of the attempt to make one.
func (p *pool) await(ctx context.Context) error {
	d, err := p.join()
	if d == nil {
		return err
	}
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return fmt.Errorf("connect to %s: %w", p.addr, ctx.Err())
	}
}

// join returns the dial under way, after beginning one if there is none, or
// the failure of one just made.
func (p *pool) join() (*dial, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, wire.ErrClosed
	case p.dial != nil:
		return p.dial, nil
	case len(*p.conns.Load()) >= maxConnections:
		return nil, fmt.Errorf("%s: %w", p.addr, wire.ErrTooManyStreams)
	case p.failed != nil && time.Since(p.failedAt) < redialAfter:
		return nil, p.failed
	}
	d := &dial{done: make(chan struct{})}
	p.dial = d
	p.plane.dialling.Go(func() { p.run(d) })
	return d, nil
}

// run makes one connection. It counts only when the instance has said
// something: the kernel of a machine accepts for a process that is stopped.
func (p *pool) run(d *dial) {
	defer close(d.done)
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		d.err = fmt.Errorf("connect to %s: %w", p.addr, err)
		p.made(nil, d.err)
		return
	}
	setUserTimeout(nc, instanceTimeout)
	c := wire.NewClient(nc, wire.Config{Handler: instanceSide{p}})
	p.plane.instances.add(c)
	if err := c.Greeted(ctx); err != nil {
		d.err = fmt.Errorf("connect to %s: %w", p.addr, err)
		c.Close()
		p.made(nil, d.err)
		return
	}
	p.made(c, nil)
}

// made ends a dial.
func (p *pool) made(c *wire.Conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dial, p.failed, p.failedAt = nil, err, time.Now()
	switch {
	case c == nil:
	case p.closed:
		c.Abort(wire.ErrClosed)
	case c.Err() == nil:
		conns := append(slices.Clone(*p.conns.Load()), c)
		p.conns.Store(&conns)
	}
}

// forget takes no new requests to a connection.
func (p *pool) forget(c *wire.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := slices.DeleteFunc(slices.Clone(*p.conns.Load()), func(have *wire.Conn) bool { return have == c })
	p.conns.Store(&conns)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	conns := *p.conns.Load()
	p.conns.Store(&[]*wire.Conn{})
	for _, c := range conns {
		c.Abort(wire.ErrClosed)
	}
}
