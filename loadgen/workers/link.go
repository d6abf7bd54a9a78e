package workers

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// dialWait bounds a connection to the coordinator, helloWait its answer: it
	// answers when its Run has been called.
	dialWait  = 5 * time.Second
	helloWait = 10 * time.Second
	// writeWait bounds a write to a network that takes nothing.
	writeWait = 5 * time.Second
	// ordersMax is how many orders may wait to be read.
	ordersMax = 64
	// triesMax is how often a request is made: an answer that does not come may
	// mean that the coordinator had too much to read.
	triesMax = 3
)

// link is a worker's connection to its coordinator.
type link struct {
	conn    *nats.Conn
	address string
	id      string
	orders  chan *nats.Msg
	lost    chan struct{} // closed when the connection is
	jobs    chan json.RawMessage
	starts  chan time.Time
	owned   sync.WaitGroup
	done    chan struct{} // closed to end what is owned
}

// dialer has a context end the making of a connection, the greeting included,
// and remembers why there was none, which NATS does not tell.
type dialer struct {
	net.Dialer
	ctx context.Context
	err error
	// made says that the context is to end the connection no more.
	made func() bool
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.DialContext(d.ctx, network, address)
	if err != nil {
		d.err = err
		return nil, err
	}
	d.made = context.AfterFunc(d.ctx, func() { conn.Close() })
	return conn, nil
}

// dial connects to a coordinator.
func dial(ctx context.Context, address, token string) (*link, error) {
	l := &link{
		address: address, id: rand.Text(),
		orders: make(chan *nats.Msg, ordersMax), lost: make(chan struct{}), done: make(chan struct{}),
		jobs: make(chan json.RawMessage, 1), starts: make(chan time.Time, 1),
	}
	d := &dialer{Dialer: net.Dialer{Timeout: dialWait}, ctx: ctx, made: func() bool { return true }}
	conn, err := nats.Connect(urlScheme+address, nats.Token(token), nats.NoReconnect(), nats.Name("worker"),
		nats.Timeout(dialWait), nats.FlusherTimeout(writeWait), nats.IgnoreDiscoveredServers(), nats.SkipHostLookup(),
		nats.SetCustomDialer(d),
		nats.ClosedHandler(func(*nats.Conn) { close(l.lost) }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // Its connection ends, which is seen.
	d.made()
	if err != nil {
		return nil, dialError(ctx, address, token, cmp.Or(d.err, err))
	}
	l.conn = conn
	if _, err := conn.ChanSubscribe(subjectTo+l.id, l.orders); err != nil {
		conn.Close()
		return nil, fmt.Errorf("join the coordinator at %s: %w", address, err)
	}
	return l, nil
}

// dialError says why there is no connection, without the token.
func dialError(ctx context.Context, address, token string, err error) error {
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrAuthorization) && token == "":
		return fmt.Errorf("the coordinator at %s wants a token: nats://TOKEN@%s", address, address)
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("the coordinator at %s does not accept this token", address)
	case errors.Is(err, nats.ErrMaxConnectionsExceeded):
		return &Refused{Why: "it is one too many"}
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("no coordinator at %s: %w", address, op.Err)
	default:
		return fmt.Errorf("what listens at %s does not answer as a coordinator: %w", address, err)
	}
}

// hello asks to take part.
func (l *link) hello(ctx context.Context, name string) (welcome, error) {
	client, err := l.conn.GetClientID()
	if err != nil {
		return welcome{}, fmt.Errorf("join the coordinator at %s: %w", l.address, err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // It is part of a name only.
	}
	bounded, cancel := context.WithTimeout(ctx, helloWait)
	defer cancel()
	m, err := l.conn.RequestWithContext(bounded, subjectJoin, must(hello{
		Protocol: protocolVersion, ID: l.id, Name: name, Host: host, PID: os.Getpid(), Client: client,
	}))
	switch {
	case ctx.Err() != nil:
		return welcome{}, context.Cause(ctx)
	case errors.Is(err, nats.ErrNoResponders):
		return welcome{}, fmt.Errorf("a NATS server answers at %s, but nobody coordinates a load there", l.address)
	case errors.Is(err, context.DeadlineExceeded):
		return welcome{}, fmt.Errorf("the coordinator at %s did not answer within %v", l.address, helloWait)
	case err != nil:
		return welcome{}, fmt.Errorf("join the coordinator at %s: %w", l.address, err)
	}
	var w welcome
	if err := json.Unmarshal(m.Data, &w); err != nil {
		return welcome{}, fmt.Errorf("what answers at %s is no coordinator: %w", l.address, err)
	}
	if w.Refused != "" {
		return welcome{}, &Refused{Why: line(w.Refused)}
	}
	if w.Parts < 1 || w.Part < 0 || w.Part >= w.Parts || w.Silence <= 0 {
		return welcome{}, fmt.Errorf("the coordinator at %s gave part %d of %d", l.address, w.Part+1, w.Parts)
	}
	return w, nil
}

// watch shows the coordinator that this worker lives, follows its orders, and
// ends the run when it says stop or is heard no more.
//
// Heartbeats have a goroutine of their own: writing may wait for the network,
// and noticing that it is gone must not.
func (l *link) watch(linked context.Context, silence time.Duration, stop, lose context.CancelCauseFunc) {
	each := max(silence/beatsPerSilence, time.Millisecond)
	l.owned.Go(func() {
		ticker := time.NewTicker(each)
		defer ticker.Stop()
		for {
			select {
			case <-l.done:
				return
			case <-linked.Done():
				return
			case <-ticker.C:
				_ = l.say(sayBeat, nil) // An error means that the connection is closed, which is seen below.
			}
		}
	})
	l.owned.Go(func() {
		if why := l.follow(silence, each, stop); why != "" {
			err := fmt.Errorf("%w: %s at %s", ErrLost, why, l.address)
			lose(err)
			stop(err)
		}
	})
}

// follow follows orders until the link is closed, or the coordinator is lost,
// and then says how.
func (l *link) follow(silence, each time.Duration, stop context.CancelCauseFunc) (why string) {
	ticker := time.NewTicker(each)
	defer ticker.Stop()
	heard, ticked := time.Now(), time.Now()
	for {
		select {
		case <-l.done:
			return ""
		case m := <-l.orders:
			heard = time.Now()
			l.obey(m, stop)
			continue
		default:
		}
		// Only when no order is left to be read.
		select {
		case <-l.done:
			return ""
		case <-l.lost:
			return "the connection was closed"
		case m := <-l.orders:
			heard = time.Now()
			l.obey(m, stop)
		case now := <-ticker.C:
			if stood := now.Sub(ticked); stood > silence/2 {
				heard = heard.Add(stood) // This process itself was held up.
			}
			if ticked = now; now.Sub(heard) > silence {
				return fmt.Sprintf("nothing was heard for %v", silence)
			}
		}
	}
}

// obey follows one order. What makes no sense is left alone.
func (l *link) obey(m *nats.Msg, stop context.CancelCauseFunc) {
	var o order
	if json.Unmarshal(m.Data, &o) != nil {
		return
	}
	switch o.Kind {
	case orderJob:
		select {
		case l.jobs <- o.Spec:
		default: // A second one.
		}
	case orderGo:
		select {
		case l.starts <- time.Now().Add(o.Lead):
		default: // A second one.
		}
	case orderStop:
		stop(&Stopped{Why: line(o.Why)})
	}
}

// say tells the coordinator something.
func (l *link) say(word string, data []byte) error {
	return l.conn.Publish(subjectFrom+l.id+"."+word, data)
}

// ask tells the coordinator something and waits until it has understood.
func (l *link) ask(ctx context.Context, wait time.Duration, word string, data []byte) error {
	for try := 1; ; try++ {
		bounded, cancel := context.WithTimeout(ctx, wait)
		m, err := l.conn.RequestWithContext(bounded, subjectFrom+l.id+"."+word, data)
		cancel()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded) && try < triesMax:
			continue
		case err != nil:
			return fmt.Errorf("%w: %w", ErrLost, err)
		}
		var a ack
		if err := json.Unmarshal(m.Data, &a); err != nil {
			return fmt.Errorf("the coordinator's answer: %w", err)
		}
		if a.Refused != "" {
			return &Refused{Why: line(a.Refused)}
		}
		return nil
	}
}

// deliver hands a report in.
func (l *link) deliver(ctx context.Context, wait time.Duration, r *Report) error {
	data, err := r.encode()
	if err != nil {
		_ = l.ask(ctx, wait, sayFailed, []byte(line(err.Error()))) // The end of the connection says it too.
		return err
	}
	for at := 0; at < len(data); at += pieceMax {
		part := data[at:min(len(data), at+pieceMax)]
		if err := l.ask(ctx, wait, sayReport, frame(must(piece{Offset: at, Total: len(data)}), part)); err != nil {
			return fmt.Errorf("hand in the report: %w", err)
		}
	}
	return nil
}

// close ends the connection, and waits for what is owned.
func (l *link) close() {
	close(l.done)
	l.owned.Wait()
	l.conn.Close()
}
