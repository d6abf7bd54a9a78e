package driver

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"breakbank/platform/wire"
)

// caller is one connection: the handler of what comes in on it. Everything but
// begin happens on the connection's own goroutine.
type caller struct {
	run      *run
	conn     *wire.Conn
	measured Measured
}

// call is one request under way.
type call struct {
	intended, sent time.Time
	bytes          int    // received
	status         string // grpc-status, empty until it comes
	message        string
}

func newCaller(r *run, conn net.Conn) *caller {
	c := &caller{run: r, measured: newMeasured()}
	c.conn = wire.NewClient(conn, wire.Config{Handler: c})
	return c
}

var errTooMany = fmt.Errorf("more than %d calls", callsMax)

// begin sends a call. It fails if the connection does not take it.
func (c *caller) begin(b *wire.Batch, intended, sent time.Time) error {
	if c.run.calls.Add(1) > callsMax {
		return errTooMany
	}
	c.run.inFlight.Add(1)
	s, err := c.conn.Open(b, &call{intended: intended, sent: sent}, c.run.headers, false)
	if err != nil {
		c.run.land()
		return fmt.Errorf("begin a call: %w", err)
	}
	s.SendData(b, c.run.load.Message.request, true)
	return nil
}

// Headers implements wire.Handler.
func (c *caller) Headers(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	k := s.User.(*call)
	for _, f := range fields {
		switch f.Name {
		case ":status":
			if f.Value != "200" {
				k.status, k.message = "HTTP "+f.Value, "not gRPC's answer"
			}
		case "grpc-status":
			k.status = f.Value
		case "grpc-message":
			k.message = f.Value
		}
	}
	if end {
		c.answered(b, k)
	}
}

// Data implements wire.Handler.
func (c *caller) Data(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	k := s.User.(*call)
	k.bytes += len(p)
	s.Consume(b, len(p))
	if end {
		c.answered(b, k)
	}
}

// Ended implements wire.Handler.
func (c *caller) Ended(b *wire.Batch, s *wire.Stream, why wire.Ending) {
	k := s.User.(*call)
	if c.run.impatient.Load() {
		c.measured.Unanswered++
		c.note(k, time.Now())
		c.run.land()
		return
	}
	c.failed(b, k, why.String())
}

// Sent implements wire.Handler.
func (*caller) Sent(*wire.Batch, *wire.Stream, int) {}

// Draining implements wire.Handler.
func (*caller) Draining(*wire.Conn) {}

// Closed implements wire.Handler.
func (*caller) Closed(*wire.Conn, error) {}

// answered looks at an answer that is complete.
func (c *caller) answered(b *wire.Batch, k *call) {
	switch want := c.run.load.Message.answerBytes; {
	case k.status != "0":
		c.failed(b, k, statusText(k))
	case k.bytes != want:
		c.failed(b, k, fmt.Sprintf("an answer of %d bytes instead of %d", k.bytes, want))
	default:
		now := time.Now()
		if c.run.phase.Load() == measuring {
			c.measured.Done++
			if !c.run.answered.Load() {
				c.run.answered.Store(true)
			}
		}
		c.note(k, now)
		c.next(b, now)
	}
}

// failed counts a call that came to a wrong end.
func (c *caller) failed(b *wire.Batch, k *call, what string) {
	now := time.Now()
	c.measured.Failed++
	c.measured.Errors[what]++
	c.note(k, now)
	if c.run.failures.Add(1) == failuresMax {
		close(c.run.hopeless)
	}
	c.next(b, now)
}

// note records a call's times, if it belongs to the window.
func (c *caller) note(k *call, now time.Time) {
	counted := c.run.phase.Load() == measuring
	if c.run.load.Arrivals != nil {
		counted = c.run.load.counts(k.intended.Sub(c.run.started))
	}
	if !counted {
		return
	}
	record(c.measured.Response, now.Sub(k.intended))
	record(c.measured.Service, now.Sub(k.sent))
}

// next begins another call where one has ended, in a closed loop.
func (c *caller) next(b *wire.Batch, now time.Time) {
	defer c.run.land()
	if c.run.load.Arrivals != nil || c.run.phase.Load() == over || c.run.failures.Load() >= failuresMax {
		return
	}
	if err := c.begin(b, now, now); err != nil {
		c.measured.Failed++
		c.measured.Errors[err.Error()]++
	}
}

// statusText says what a status other than OK means.
func statusText(k *call) string {
	if k.status == "" {
		return "an answer without a status"
	}
	name := k.status
	if code, err := strconv.ParseUint(k.status, 10, 32); err == nil {
		name = codes.Code(code).String()
	}
	if k.message == "" {
		return name
	}
	return name + ": " + k.message
}
