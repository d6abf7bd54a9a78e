package router

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"breakbank/platform/router/balance"
	"breakbank/platform/wire"
)

// headersFromInstance brings the headers or the trailers of the answer.
func (x *exchange) headersFromInstance(b *wire.Batch, s *wire.Stream, fields []hpack.HeaderField, end bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.isMine(s) {
		return
	}
	if !end {
		if x.won(b, s, time.Now()) {
			x.state = answering
			x.kept.free()
			x.answer.early = !x.askEnded
			x.down.SendHeaders(b, fields, false)
		}
		return
	}
	t := readTrailers(fields, x.state == sending)
	now := time.Now()
	o := outcome{fate: answered, began: x.leg.sentAt, now: now, failed: failedStatus(t.code)}
	if t.refused {
		o.fate, o.failed = misdelivered, true
	}
	// One that fails leaves the request to the other, if there are two.
	if o.failed && x.state == sending && x.withdrawn(b, s, o) {
		return
	}
	if !x.won(b, s, now) {
		return
	}
	o.began = x.leg.sentAt
	if x.service.informed && t.load != "" {
		if _, load, ok := readLoad(t.load); ok {
			o.load = &balance.Load{}
			*o.load = load
		}
	}
	x.ended(x.leg.at, o)
	if f := x.reconsider(o.fate, t.code); f != answered {
		x.another(b, f, fmt.Errorf("%v: %s", t.code, t.message), fields)
		return
	}
	x.pass(b, now, fields, t)
}

// isMine says whether a stream is of an attempt under way.
func (x *exchange) isMine(s *wire.Stream) bool {
	return x.state != over && s != nil && (s == x.leg.stream || s == x.hedge.leg.stream)
}

// pass ends the exchange with what the instance has answered.
func (x *exchange) pass(b *wire.Batch, now time.Time, fields []hpack.HeaderField, t trailers) {
	var room [trailerFields]hpack.HeaderField
	own := x.appendProvenance(append(room[:0], fields...), now, x.leg.at, t.named)
	unary := x.state == sending || x.answer.isOneMessage()
	x.end()
	x.down.SendHeaders(b, own, true)
	x.done(now, t.code, unary)
}

// another makes another attempt after one that came to nothing, if that may
// be; otherwise the caller is told what became of it: in the instance's words,
// if it had any.
func (x *exchange) another(b *wire.Batch, f fate, err error, fields []hpack.HeaderField) {
	e := x.leg.at
	if x.state == sending && !x.lossy && x.mayGoOn(e, f, true) {
		if f == neverSent && !x.spared {
			// It took no more on that connection; on a new one it may.
			x.spared = true
			x.tried = x.tried[:len(x.tried)-1]
		}
		x.leg = leg{}
		x.attempt(b, time.Now())
		return
	}
	switch {
	case f == lost:
		x.sentOnce = true
	case f == misdelivered && !x.sentOnce && fields != nil:
		x.pass(b, time.Now(), fields, readTrailers(fields, true))
		return
	case f == neverSent:
		x.refused()
	}
	x.reply(b, e, x.verdict(context.Background(), f, e, err))
}

// dataFromInstance brings a part of the answer.
func (x *exchange) dataFromInstance(b *wire.Batch, s *wire.Stream, p []byte, end bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.leg.stream != s || x.state == over {
		s.Consume(b, len(p))
		return
	}
	x.answer.add(p)
	s.ConsumeInto(b, x.down.SendData(b, p, end), x.down)
	if end { // an answer without trailers: not gRPC's, but passed on
		now := time.Now()
		x.ended(x.leg.at, outcome{fate: answered, began: x.leg.sentAt, now: now})
		x.end()
		x.done(now, codes.Unknown, false)
	}
}

// attemptBroke: an attempt ended without an answer.
func (x *exchange) attemptBroke(b *wire.Batch, s *wire.Stream, why wire.Ending) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.isMine(s) {
		return
	}
	// That an instance refuses streams, or says goodbye, says nothing against
	// it.
	o := outcome{fate: lost, began: x.leg.sentAt, now: time.Now(), failed: true}
	if why.Kind == wire.Unprocessed && x.state == sending {
		o.fate, o.failed, o.spared = neverSent, false, true
	}
	if x.withdrawn(b, s, o) {
		return
	}
	x.hedge.disarm(x)
	x.ended(x.leg.at, o)
	if why.Kind == wire.Reset && (x.state == answering || x.lossy || !x.repeatable) {
		// The instance itself has ended it, and the code is its answer.
		x.end()
		x.down.Reset(b, why.Code)
		x.done(o.now, resetStatus(why.Code), false)
		return
	}
	x.another(b, o.fate, fmt.Errorf("the connection broke: %v", why), nil)
}

// resetStatus is the status that a gRPC client reads out of a reset (gRPC over
// HTTP/2, Errors).
func resetStatus(code http2.ErrCode) codes.Code {
	switch code {
	case http2.ErrCodeRefusedStream:
		return codes.Unavailable
	case http2.ErrCodeCancel:
		return codes.Canceled
	case http2.ErrCodeEnhanceYourCalm:
		return codes.ResourceExhausted
	case http2.ErrCodeInadequateSecurity:
		return codes.PermissionDenied
	default:
		return codes.Internal
	}
}

// messagePrefix is what stands before each gRPC message: a flag, and its
// length.
const messagePrefix = 5

// answerSize tells an answer of one message from a stream of them, by its size
// and the length before its first message.
type answerSize struct {
	early  bool // it began before the caller had ended
	prefix [messagePrefix]byte
	bytes  int64
}

func (a *answerSize) add(p []byte) {
	if a.bytes < messagePrefix {
		copy(a.prefix[a.bytes:], p)
	}
	a.bytes += int64(len(p))
}

func (a *answerSize) isOneMessage() bool {
	return !a.early && a.bytes == messagePrefix+int64(binary.BigEndian.Uint32(a.prefix[1:]))
}
