package transport

import (
	"context"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// Wire is the transport on platform/wire.
type Wire struct {
	targets  [][]*address // by target, by address
	deadline *deadlines
	work     sync.WaitGroup
	stop     context.CancelFunc
}

// NewWire starts to connect.
func NewWire(c Config) (*Wire, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Wire{stop: stop, deadline: newDeadlines()}
	for i := range c.Targets {
		t := &c.Targets[i]
		var addresses []*address
		for _, at := range t.Addresses {
			a := newAddress(at, c.TLS, max(1, t.Connections))
			addresses = append(addresses, a)
			for _, s := range a.slots {
				w.work.Go(func() { s.keep(ctx) })
			}
		}
		w.targets = append(w.targets, addresses)
	}
	w.work.Go(func() { w.deadline.run(ctx) })
	return w, nil
}

// Begin implements Transport.
func (w *Wire) Begin(b *Batch, c *Call) {
	addresses := w.targets[c.Target]
	c.mu.Lock()
	c.use++
	c.over, c.spent, c.partial, c.stream = false, false, false, nil
	c.SentAt, c.Fate, c.Code, c.Message, c.Status = time.Time{}, Unsent, codes.Unknown, "", 0
	c.Reply, c.ReplyBytes, c.Messages, c.Fields = c.Reply[:0], 0, 0, c.Fields[:0]
	c.prefix = prefixReader{}
	if len(addresses) == 0 {
		c.failLocked(codes.Unavailable, "no address")
		c.mu.Unlock()
		c.Owner.Done(b, c)
		return
	}
	c.at = addresses[c.Shard%len(addresses)]
	use := c.use
	c.mu.Unlock()
	w.deadline.add(c, use, c.Deadline)
	c.at.begin(b, c, use)
}

// headerLists is space to write header lists in.
var headerLists = sync.Pool{New: func() any { return new([]hpack.HeaderField) }}

// compose writes the header list of a call into list.
func (a *address) compose(list []hpack.HeaderField, c *Call, now time.Time) []hpack.HeaderField {
	h := c.Head
	h.once.Do(h.compose)
	if a.tls == nil {
		list = append(list, h.fields[0]...)
	} else {
		list = append(list, h.fields[1]...)
	}
	if h.Authority == "" {
		list[authorityAt].Value = a.name
	}
	if h.Kind == GRPC && !c.Deadline.IsZero() {
		list = append(list, hpack.HeaderField{Name: "grpc-timeout", Value: c.timeout.of(c.Deadline.Sub(now))})
	}
	return append(list, c.Extra...)
}

// authorityAt is where compose puts the authority.
const authorityAt = 3

// userAgent is what calls say of themselves.
const userAgent = "breakbank-loadgen"

func (h *Head) compose() {
	for i, scheme := range []string{"http", "https"} {
		fields := []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: scheme},
			{Name: ":path", Value: h.Path},
			{Name: ":authority", Value: h.Authority},
		}
		if h.Kind == GRPC {
			fields = append(fields,
				hpack.HeaderField{Name: "content-type", Value: "application/grpc"},
				hpack.HeaderField{Name: "te", Value: "trailers"})
		} else {
			fields = append(fields, hpack.HeaderField{Name: "content-type", Value: h.ContentType})
		}
		fields = append(fields, hpack.HeaderField{Name: "user-agent", Value: userAgent})
		h.fields[i] = append(fields, h.Metadata...)
	}
}

// Settle implements Transport.
func (w *Wire) Settle(ctx context.Context) error {
	for _, addresses := range w.targets {
		var failed error
		connected := len(addresses) == 0
		for _, a := range addresses {
			for _, s := range a.slots {
				select {
				case <-s.tried:
				case <-ctx.Done():
				}
			}
			if err := a.connected(); err == nil {
				connected = true
			} else if failed == nil {
				failed = err
			}
		}
		if !connected {
			return failed
		}
	}
	return nil
}

// GiveUp implements Transport.
func (w *Wire) GiveUp() { w.deadline.giveUp() }

// Close implements Transport.
func (w *Wire) Close() {
	w.stop()
	w.work.Wait()
}

// failLocked ends a call that has no answer. c.mu is held.
func (c *Call) failLocked(code codes.Code, message string) {
	c.over = true
	c.Code, c.Message = code, message
}

// expire gives a call up whose deadline has passed.
func (c *Call) expire(b *Batch, use uint64) {
	c.mu.Lock()
	if c.use != use || c.over {
		c.mu.Unlock()
		return
	}
	c.spent = true
	if c.stream != nil {
		c.Fate = Lost
		c.stream.Reset(b, http2.ErrCodeCancel)
	}
	c.failLocked(codes.DeadlineExceeded, errLate.Error())
	at := c.at
	c.mu.Unlock()
	at.freed(b)
	c.Owner.Done(b, c)
}
