package transport

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"breakbank/platform/wire"
)

// address is the connections to one address, and the calls that wait until the
// peer takes more streams on one of them.
type address struct {
	name  string
	tls   *tls.Config
	slots []*slot

	waits atomic.Int64 // how many wait, those included that admit has taken and may put back
	// chances counts how often something passed that may have kept those that
	// wait: one that was refused before is to try again.
	chances atomic.Int64
	mu      sync.Mutex
	waiting queue
}

func newAddress(name string, tlsConfig *tls.Config, connections int) *address {
	a := &address{name: name, tls: tlsConfig}
	for range connections {
		a.slots = append(a.slots, newSlot(a))
	}
	return a
}

// begin sends a call on its own connection, or on another of the address's. If
// the peer takes no more streams on any of them, or if they are being made, the
// call waits; so it does behind those that wait already, for whoever was just
// served is often the first to come again.
func (a *address) begin(b *Batch, c *Call, use uint64) {
	if a.waits.Load() > 0 {
		a.wait(c, use)
		a.admit(b)
		return
	}
	switch err := a.open(b, c, use); {
	case err == nil:
	case passing(err):
		a.wait(c, use)
		a.admit(b) // it may have passed in between
	default:
		c.failUnsent(b, use, err)
	}
}

var (
	// errConnecting: there is no connection yet, but soon.
	errConnecting = errors.New("connecting")
	// errLate: the deadline has passed.
	errLate = errors.New("no answer by the deadline")
)

// passing says whether what keeps a call from being sent will pass, and those
// that wait be told: a stream will end; a connection will be made or fail.
func passing(err error) bool {
	return errors.Is(err, wire.ErrTooManyStreams) || errors.Is(err, errConnecting)
}

// open opens a stream for a call.
func (a *address) open(b *Batch, c *Call, use uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now()
	switch {
	case c.use != use || c.over:
		return nil // It has ended.
	case !c.Deadline.IsZero() && !at.Before(c.Deadline):
		return errLate // In a transport that is closed nobody else looks at deadlines.
	}
	list := headerLists.Get().(*[]hpack.HeaderField)
	defer headerLists.Put(list)
	*list = a.compose((*list)[:0], c, at)
	failed := error(nil)
	for i := range a.slots {
		conn := a.slots[(c.Turn+i)%len(a.slots)].conn.Load()
		if conn == nil {
			continue
		}
		s, err := conn.Open(b, c, *list, len(c.Request) == 0)
		if err == nil {
			c.SentAt, c.stream, c.Fate = at, s, Lost // until the answer comes
			if len(c.Request) > 0 {
				c.partial = s.SendData(b, c.Request, true) < len(c.Request)
			}
			return nil
		}
		switch {
		case errors.Is(err, wire.ErrClosed), errors.Is(err, wire.ErrDraining): // its slot is about to notice
			failed = cmp.Or(failed, errConnecting)
		case failed == nil, errors.Is(err, wire.ErrTooManyStreams):
			failed = err
		}
	}
	if failed == nil {
		failed = a.down()
	}
	return failed
}

// failUnsent ends a call that could not be sent.
func (c *Call) failUnsent(b *Batch, use uint64, why error) {
	c.mu.Lock()
	if c.use != use || c.over {
		c.mu.Unlock()
		return
	}
	code := codes.Unavailable
	switch {
	case errors.Is(why, errLate):
		code = codes.DeadlineExceeded
	case errors.Is(why, wire.ErrHeadersTooLarge):
		code = codes.ResourceExhausted
	}
	c.failLocked(code, why.Error())
	c.mu.Unlock()
	c.Owner.Done(b, c)
}

// wait puts a call at the end of the queue. How many can wait is bounded by
// whoever begins them.
func (a *address) wait(c *Call, use uint64) {
	a.waits.Add(1)
	a.mu.Lock()
	a.waiting.push(waiter{c, use})
	a.mu.Unlock()
}

// freed is called when a stream has ended, or a connection was made or failed:
// those that wait may go.
func (a *address) freed(b *Batch) {
	if a.waits.Load() > 0 {
		a.chances.Add(1)
		a.admit(b)
	}
}

// admitTogether is how many calls that have waited leave in one write: what a
// connection holds for its socket is bounded (wire's outMax).
const admitTogether = 256

// admit sends those that wait, as long as the peer takes them.
func (a *address) admit(b *Batch) {
	for n := 1; ; n++ {
		chances := a.chances.Load()
		a.mu.Lock()
		first, ok := a.waiting.pop()
		a.mu.Unlock()
		if !ok {
			return
		}
		switch err := a.open(b, first.call, first.use); {
		case err == nil:
			a.waits.Add(-1)
		case passing(err):
			a.mu.Lock()
			a.waiting.back(first)
			a.mu.Unlock()
			if a.chances.Load() == chances {
				return
			}
			// It passed when the call was not in the queue, where those who knew
			// did not find it.
		default:
			a.waits.Add(-1)
			first.call.failUnsent(b, first.use, err)
		}
		if n%admitTogether == 0 {
			b.Flush()
		}
	}
}

// down says why the address has no connection: errConnecting while there is
// hope.
func (a *address) down() error {
	var why error
	for _, s := range a.slots {
		if s.hopes.Load() || s.conn.Load() != nil {
			return errConnecting
		}
		why = cmp.Or(why, s.lastError())
	}
	return why
}

// connected says why the address has no connection, nil if it has one.
func (a *address) connected() error {
	var why error
	for _, s := range a.slots {
		if s.conn.Load() != nil {
			return nil
		}
		why = cmp.Or(why, s.lastError())
	}
	if why == nil {
		why = fmt.Errorf("connect to %s: not yet", a.name)
	}
	return why
}
