package router

import (
	"math"
	"time"

	"golang.org/x/net/http2"

	"breakbank/platform/wire"
)

// hedge is the second attempt of a request whose first is slow (overlay
// hedging). The first of the two that answers is taken, the other cancelled;
// as long as neither has, both get what the caller sends.
type hedge struct {
	timer *time.Timer // until there is one; nil: none wanted
	leg   leg         // stream is nil: none
}

// armHedge begins the wait for a second attempt, if the service has any and
// the request may be executed twice.
func (x *exchange) armHedge(now time.Time) {
	s := x.service
	if s.hedger == nil || x.hedge.timer != nil {
		return
	}
	s.mu.Lock()
	after, wanted := s.hedger.Request(now, x.repeatable)
	s.mu.Unlock()
	if !wanted {
		return
	}
	x.plane.waiting.Add(1)
	x.hedge.timer = time.AfterFunc(after, func() {
		defer x.plane.waiting.Done()
		var b wire.Batch
		x.sendHedge(&b)
		b.Flush()
	})
}

// disarm stops the wait for a second attempt.
func (h *hedge) disarm(x *exchange) {
	if h.timer != nil && h.timer.Stop() {
		x.plane.waiting.Done()
	}
}

// sendHedge makes the second attempt, if there is still reason to.
func (x *exchange) sendHedge(b *wire.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state != sending || x.lossy {
		return
	}
	s := x.service
	s.mu.Lock()
	allowed := len(s.endpoints) > 1 && s.hedger.Hedge(time.Now())
	s.mu.Unlock()
	if !allowed {
		return
	}
	x.tried = append(x.tried, x.leg.at)
	now := time.Now()
	e := x.pick(now)
	x.tried = x.tried[:len(x.tried)-1]
	if e == nil {
		return
	}
	l, result := x.open(b, e, now)
	if result != sent {
		x.giveBack(e)
		return
	}
	x.hedge.leg = l
	x.kept.each(func(p []byte, last bool) { x.hedge.send(b, p, last && x.askEnded) })
}

// send gives the second attempt what the caller has sent.
func (h *hedge) send(b *wire.Batch, p []byte, end bool) {
	if h.leg.stream != nil && (len(p) > 0 || end) {
		h.leg.stream.SendData(b, p, end)
	}
}

// drop ends the second attempt, if there is one.
func (h *hedge) drop(b *wire.Batch, x *exchange, now time.Time) {
	h.disarm(x)
	if h.leg.stream == nil {
		return
	}
	h.leg.stream.Reset(b, http2.ErrCodeCancel)
	x.ended(h.leg.at, outcome{fate: abandoned, began: h.leg.sentAt, now: now})
	x.sentOnce = true // it may have been executed, whatever the other one says
	h.leg = leg{}
}

// won notes that an attempt has answered: it is the one that counts from now
// on. It reports false for a stream that is none of the request's any more.
func (x *exchange) won(b *wire.Batch, s *wire.Stream, now time.Time) bool {
	switch {
	case x.state == over || s != x.leg.stream && s != x.hedge.leg.stream:
		return false
	case x.state == answering:
		return s == x.leg.stream
	}
	if h := x.service.hedger; h != nil {
		x.service.mu.Lock()
		h.Took(now, now.Sub(x.leg.sentAt))
		x.service.mu.Unlock()
	}
	if s == x.hedge.leg.stream {
		x.swap(b)
	}
	x.hedge.drop(b, x, now)
	return true
}

// swap makes the second attempt the first, by which the caller's credit goes
// from now on. What the former first still had waiting is given back at once:
// the other one has it already.
func (x *exchange) swap(b *wire.Batch) {
	x.leg, x.hedge.leg = x.hedge.leg, x.leg
	x.down.Consume(b, math.MaxInt)
}

// withdrawn takes an attempt that came to nothing out of the request, if there
// is another under way. It reports whether there is.
func (x *exchange) withdrawn(b *wire.Batch, s *wire.Stream, o outcome) bool {
	if x.hedge.leg.stream == nil {
		return false
	}
	if s == x.leg.stream {
		x.swap(b)
	}
	o.began = x.hedge.leg.sentAt
	x.ended(x.hedge.leg.at, o)
	if o.fate.executed() {
		x.sentOnce = true
	}
	x.hedge.leg = leg{}
	return true
}
