package workers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// inboxEach is how many messages of each worker may wait to be read. More
	// are dropped: pieces of a report are sent again, the rest comes again.
	inboxEach = 8
	// flushWait bounds how long the last orders may take to leave.
	flushWait = time.Second
)

// Coordinator has workers perform one load. Listen makes one, Close ends it.
type Coordinator struct {
	o      Options
	server *server.Server
	conn   *nats.Conn
	inbox  chan *nats.Msg
	lost   chan struct{} // closed when the connection is
	exits  chan exit
	ran    atomic.Bool
	close  sync.Once
}

// exit is the end of a worker's process.
type exit struct {
	name string
	err  error
}

// Listen begins to take workers in; they wait for Run.
func Listen(o Options) (*Coordinator, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	n, err := startServer(&o)
	if err != nil {
		return nil, err
	}
	c := &Coordinator{
		o: o, server: n,
		inbox: make(chan *nats.Msg, inboxEach*(o.Workers+spareConnections)),
		exits: make(chan exit, o.Workers+spareConnections),
		lost:  make(chan struct{}),
	}
	if err := c.connect(); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to the server for workers: %w", err)
	}
	return c, nil
}

func (c *Coordinator) connect() error {
	conn, err := nats.Connect("", nats.InProcessServer(c.server), nats.Token(c.o.Token), nats.NoReconnect(),
		nats.Name("coordinator"),
		nats.ClosedHandler(func(*nats.Conn) { close(c.lost) }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // A full inbox; see inboxEach.
	if err != nil {
		return err
	}
	c.conn = conn
	for _, subject := range []string{subjectJoin, subjectFrom + "*.*"} {
		if _, err := conn.ChanSubscribe(subject, c.inbox); err != nil {
			return err
		}
	}
	return conn.FlushTimeout(serverWait)
}

// Address is where workers join, host:port, without the token.
func (c *Coordinator) Address() string { return c.server.Addr().String() }

// URL is where workers of this machine join. It holds the token: hand it to a
// process by its environment rather than its command line, which everyone may
// read, and never print it.
func (c *Coordinator) URL() string {
	address := c.Address()
	if host, port, err := net.SplitHostPort(address); err == nil {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			address = net.JoinHostPort("localhost", port)
		}
	}
	return makeURL(address, c.o.Token)
}

// Run waits for the workers, has them perform the load, and returns what they
// measured. It is called once.
//
// When ctx ends before the load has begun, that is the error. When it ends
// later, the workers are stopped and what they have measured is the outcome,
// which is Partial then. A worker that fails (Failure) ends the run; if that
// was after it had begun, there is an outcome beside the error. Losing workers
// is no error unless all are lost; see Outcome.InvalidReasons.
func (c *Coordinator) Run(ctx context.Context) (*Outcome, error) {
	if c.ran.Swap(true) {
		return nil, errors.New("this coordinator has run its load already")
	}
	r := newRoster(c.o, time.Now())
	ticker := time.NewTicker(tickEach)
	defer ticker.Stop()
	var shown time.Time
	done := ctx.Done()
	c.observe(r, &shown)
	for r.stage != Over {
		select {
		case m := <-c.inbox:
			c.read(r, m)
		case e := <-c.exits:
			c.readAll(r, &shown) // What it said before it ended.
			r.exited(time.Now(), e.name, e.err)
		case <-done:
			done = nil
			c.readAll(r, &shown)
			r.end(time.Now(), "it was interrupted", interrupted(ctx, r))
		case <-c.lost:
			const why = "the coordinator lost its own server"
			r.giveUp(time.Now(), why)
			return r.outcome(), errors.New(why)
		case <-ticker.C:
			c.readAll(r, &shown)
			r.tick(time.Now(), c.connected)
		}
		c.send(r)
		c.observe(r, &shown)
	}
	_ = c.conn.FlushTimeout(flushWait) // Who has not heard by then loses the connection.
	return r.outcome(), r.err
}

// observe shows how the run stands if it has changed, or if there is progress
// that has not been shown for a while.
func (c *Coordinator) observe(r *roster, shown *time.Time) {
	now := time.Now()
	if !r.changed && (!r.told || now.Sub(*shown) < ProgressEach) {
		return
	}
	r.changed, r.told, *shown = false, false, now
	if c.o.Observe != nil {
		c.o.Observe(r.state())
	}
}

// interrupted is the error of a context that ended before there was anything to
// report.
func interrupted(ctx context.Context, r *roster) error {
	if r.begun {
		return nil
	}
	return fmt.Errorf("before the load began: %w", context.Cause(ctx))
}

// readAll reads what has arrived, and shows what each message changes.
func (c *Coordinator) readAll(r *roster, shown *time.Time) {
	for range cap(c.inbox) {
		select {
		case m := <-c.inbox:
			c.read(r, m)
			c.observe(r, shown)
		default:
			return
		}
	}
}

// read takes in one message, and answers it if it is a request.
func (c *Coordinator) read(r *roster, m *nats.Msg) {
	now := time.Now()
	var answer any
	if m.Subject == subjectJoin {
		answer = r.hello(now, m.Data)
	} else if id, word, ok := strings.Cut(strings.TrimPrefix(m.Subject, subjectFrom), "."); ok {
		answer = r.heard(now, id, word, m.Data)
	}
	if m.Reply != "" {
		c.publish(m.Reply, answer)
	}
}

// send sends what the roster has left to be sent.
func (c *Coordinator) send(r *roster) {
	for _, l := range r.out {
		c.publish(subjectTo+l.id, l.order)
	}
	r.out = r.out[:0]
}

// publish fails only when the connection is closed, which Run sees.
func (c *Coordinator) publish(subject string, v any) { _ = c.conn.Publish(subject, must(v)) }

// connected says whether the server still has a connection.
func (c *Coordinator) connected(client uint64) bool { return c.server.GetClient(client) != nil }

// Exited tells the coordinator that the process of a worker has ended, by the
// name with which it was to join: sooner and more precisely than its connection
// does, and also when it never joined, which ends a run that waits for it. It
// fits StartChildren, never waits, and may be called from any goroutine.
func (c *Coordinator) Exited(name string, err error) {
	select {
	case c.exits <- exit{name, err}:
	default: // More ends than workers: their connections tell as well.
	}
}

// Close ends the server, and with it the workers that are still there. It may
// be called more than once, but not while Run runs.
func (c *Coordinator) Close() {
	c.close.Do(func() {
		if c.conn != nil {
			c.conn.Close()
		}
		stopServer(c.server)
	})
}

// Serve is Listen, Run and Close, for workers that are started elsewhere.
func Serve(ctx context.Context, o Options) (*Outcome, error) {
	c, err := Listen(o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Run(ctx)
}
