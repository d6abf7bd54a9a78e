package router

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/overload"
	"breakbank/platform/wire"
)

// exchange is one request in the data plane frames: the caller's stream, and
// that of the attempt under way.
//
//	begin ──> sending ──> answering ──> over
//	  │        ▲   │                     ▲
//	  │        │   │ another attempt,    │
//	  │        │   │ or none             │
//	  ▼        │   ▼                     │
//	  waiting ─┘───┘─────────────────────┘
//
// While it waits, for a table, a connection or its turn, it has a goroutine,
// and the course belongs to that. Its other events come from two connections;
// mu puts them in order. No lock of a connection is held when one comes, so
// that sending under mu is safe.
type exchange struct {
	course
	plane   *frames
	down    *wire.Stream
	timeout time.Duration // the caller's, from began; zero: none
	// anonymous: the caller has named no authority.
	anonymous bool

	mu     sync.Mutex
	state  exchangeState
	fields []hpack.HeaderField // the request's
	cancel context.CancelFunc  // of the wait
	leg    leg                 // the attempt under way
	hedge  hedge

	// spared: an instance that said goodbye was given another try.
	spared bool

	// What another attempt would have to send: everything so far, unless it
	// became too much.
	kept     kept
	lossy    bool
	askEnded bool // the caller has said everything

	answer answerSize
}

type exchangeState int

const (
	waiting   exchangeState = iota // nothing is sent, the course belongs to the goroutine
	sending                        // the attempt under way has not answered
	answering                      // part of its answer has gone to the caller
	over
)

// leg is an attempt: a stream to an endpoint.
type leg struct {
	stream *wire.Stream
	at     *endpoint
	sentAt time.Time
}

func newExchange(f *frames, s *wire.Stream, fields []hpack.HeaderField, end bool) *exchange {
	f.router.requests.Add(1)
	x := &exchange{plane: f, down: s, fields: slices.Clone(fields), askEnded: end, kept: kept{all: &f.kept}}
	x.router, x.began, x.level = f.router, time.Now(), overload.Critical
	s.User = x
	return x
}

// begin sends the request on its way.
func (x *exchange) begin(b *wire.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.readHeaders(); err != nil {
		x.unrouted()
		x.refuse(b, err)
		return
	}
	if !x.find() {
		x.wait(b, nil, nil, time.Time{})
		return
	}
	turn, until, err := x.enter(x.began)
	switch {
	case err != nil:
		x.refuse(b, err)
	case turn != nil:
		x.wait(b, nil, turn, until)
	default:
		x.attempt(b, x.began)
	}
}

// attempt tries the next endpoint at once, and waits if that is not possible.
func (x *exchange) attempt(b *wire.Batch, now time.Time) {
	e := x.pick(now)
	if e == nil {
		x.wait(b, nil, nil, time.Time{})
		return
	}
	switch x.send(b, e, now) {
	case sent:
	case noConnection:
		x.wait(b, e, nil, time.Time{})
	case noTime:
		x.giveBack(e)
		x.refuse(b, x.turnedAway(overload.ReasonDeadline))
	case tooLarge:
		x.giveBack(e)
		x.refuse(b, errTooLarge)
	}
}

// errTooLarge is the error of a request whose headers no instance would take.
var errTooLarge = status.Error(codes.ResourceExhausted, "the headers are larger than the instance takes: not sent")

// giveBack ends an attempt that was not made after all.
func (x *exchange) giveBack(e *endpoint) {
	now := time.Now()
	x.ended(e, outcome{fate: abandoned, began: x.began, now: now, spared: true})
}

// sending is how an attempt to send went.
type sendResult int

const (
	sent sendResult = iota
	noConnection
	noTime   // too little is left of the caller's
	tooLarge // its headers are larger than the instance takes
)

// send opens a stream to an endpoint and sends what there is of the request.
func (x *exchange) send(b *wire.Batch, e *endpoint, now time.Time) sendResult {
	l, result := x.open(b, e, now)
	if result != sent {
		return result
	}
	x.state, x.leg = sending, l
	x.kept.each(func(p []byte, last bool) {
		x.down.Consume(b, l.stream.SendData(b, p, last && x.askEnded))
	})
	x.armHedge(l.sentAt)
	return sent
}

// open opens a stream to an endpoint with the request's headers.
func (x *exchange) open(b *wire.Batch, e *endpoint, now time.Time) (leg, sendResult) {
	var room [requestFields]hpack.HeaderField
	fields, inTime := x.requestHeaders(room[:0], e, now)
	if !inTime {
		return leg{}, noTime
	}
	s, err := e.channel.(*pool).open(b, x, fields, x.askEnded && x.kept.bytes == 0)
	switch {
	case err == nil:
	case errors.Is(err, wire.ErrHeadersTooLarge):
		return leg{}, tooLarge
	default:
		return leg{}, noConnection
	}
	return leg{stream: s, at: e, sentAt: now}, sent
}

// fromCaller brings a part of the request.
func (x *exchange) fromCaller(b *wire.Batch, p []byte, end bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.askEnded = x.askEnded || end
	switch x.state {
	case over:
		return
	case waiting:
		// It cannot be more than the window, which is not refilled meanwhile.
		x.kept.add(p)
		return
	case sending:
		x.keep(b, p)
	case answering:
	}
	x.down.Consume(b, x.leg.stream.SendData(b, p, end))
	x.hedge.send(b, p, end)
}

// keep keeps a part of the request for another attempt.
func (x *exchange) keep(b *wire.Batch, p []byte) {
	if x.lossy {
		return
	}
	if !x.kept.hasRoom(len(p)) {
		x.lossy = true
		x.kept.free()
		// A second attempt gets what the first has taken, however much it takes
		// itself; that has a bound too.
		x.hedge.drop(b, x, time.Now())
		return
	}
	x.kept.add(p)
}

// passedToInstance: what the instance's windows had held back has gone on.
func (x *exchange) passedToInstance(b *wire.Batch, s *wire.Stream, n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.leg.stream == s {
		x.down.Consume(b, n)
	}
}

// passedToCaller: what the caller's windows had held back has gone on.
func (x *exchange) passedToCaller(b *wire.Batch, n int) {
	x.mu.Lock()
	up := x.leg.stream
	x.mu.Unlock()
	if up != nil {
		up.ConsumeInto(b, n, x.down) // it counts for the connection even when the stream is over
	}
}

// deadlineSlack is how much sooner than the router a caller may find its time
// to be over: it began to count before the request arrived. A tenth is what
// gRPC's C core may add to a timeout when it rounds it for the wire.
const deadlineSlack = 2 * time.Millisecond

// callerGone: the caller has cancelled, or its connection has ended.
func (x *exchange) callerGone(b *wire.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch x.state {
	case over:
		return
	case waiting: // the goroutine sees to the rest
		x.state = over
		x.cancel()
		return
	case sending, answering:
	}
	now := time.Now()
	inTime := x.timeout == 0 || now.Sub(x.began) < x.timeout-max(x.timeout/10, deadlineSlack)
	x.hedge.drop(b, x, now)
	x.leg.stream.Reset(b, http2.ErrCodeCancel)
	// A frozen instance shows itself only by never answering.
	x.ended(x.leg.at, outcome{fate: abandoned, began: x.leg.sentAt, now: now, failed: !inTime && x.state == sending})
	x.end()
	if inTime {
		x.done(now, codes.Canceled, false)
	} else {
		x.done(now, codes.DeadlineExceeded, false)
	}
}

// refuse answers a request that no server has answered.
func (x *exchange) refuse(b *wire.Batch, err error) {
	x.refused()
	x.reply(b, nil, err)
}

// reply ends the exchange with an answer of the router's own.
func (x *exchange) reply(b *wire.Batch, e *endpoint, err error) {
	var room [trailerFields]hpack.HeaderField
	s := status.Convert(err)
	fields := statusHeaders(room[:0], s, x.state == answering)
	now := time.Now()
	fields = x.appendProvenance(fields, now, e, false)
	x.end()
	x.down.SendHeaders(b, fields, true)
	x.done(now, s.Code(), false)
}

// end says that nothing more happens to the request, and nothing of it is
// kept.
func (x *exchange) end() {
	x.state = over
	x.kept.free()
}
