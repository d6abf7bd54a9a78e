package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/status"

	"breakbank/platform/router/overload"
	"breakbank/platform/wire"
)

// maxWaiters bounds the requests that have a goroutine because they wait: for
// a table, a connection, or their turn.
const maxWaiters = maxWaiting

// wait goes on in a goroutine, which may wait: with the endpoint that was
// picked, or for a turn, or from the beginning.
func (x *exchange) wait(b *wire.Batch, picked *endpoint, turn *place, turnUntil time.Time) {
	x.state = waiting
	if x.plane.waiters.Add(1) > maxWaiters {
		x.plane.waiters.Add(-1)
		if x.counted == nil {
			x.unrouted()
		}
		if picked != nil {
			x.giveBack(picked)
		}
		if turn != nil {
			if t, called := x.service.giveUp(turn); called && t.Admitted {
				x.admitted(time.Now())
			}
		}
		x.refuse(b, x.notExecuted(errTooManyWaiting.Error()))
		return
	}
	timeout := x.timeout
	if timeout == 0 {
		timeout = longestTimeout
	}
	ctx, cancel := context.WithDeadline(context.Background(), x.began.Add(timeout))
	x.cancel = cancel
	x.plane.waiting.Go(func() {
		defer x.plane.waiters.Add(-1)
		defer cancel()
		var b wire.Batch
		var err error
		switch {
		case turn != nil:
			err = x.await(ctx, turn, turnUntil)
		case picked == nil:
			err = x.admit(ctx)
		}
		if err == nil {
			err = x.findAndSend(ctx, &b, picked)
		}
		if err != nil {
			x.cannotSend(&b, err)
		}
		b.Flush()
	})
}

// cannotSend ends a request that waited in vain.
func (x *exchange) cannotSend(b *wire.Batch, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state == over { // the caller is gone
		x.kept.free()
		x.refused()
		x.done(time.Now(), status.Code(err), false)
		return
	}
	x.refuse(b, err)
}

// findAndSend finds an endpoint that takes the request, however long that may
// take, beginning with the one that was picked already, if any.
func (x *exchange) findAndSend(ctx context.Context, b *wire.Batch, e *endpoint) error {
	for {
		if e == nil {
			var err error
			if e, err = x.next(ctx); err != nil {
				return err
			}
		}
		began := time.Now()
		err := x.connectAndSend(ctx, b, e)
		if err == nil {
			return nil
		}
		if !x.mayTryNext(ctx, e, began, err) {
			switch {
			case errors.Is(err, errNoTime):
				return x.turnedAway(overload.ReasonDeadline)
			case errors.Is(err, errTooLarge):
				return errTooLarge
			}
			return x.unavailable(ctx, err.Error())
		}
		e = nil
	}
}

// errNoTime says that too little is left of the caller's time to send it.
var errNoTime = errors.New("too little time left")

// connectAndSend sends the request to an endpoint, to which it may have to be
// connected first.
func (x *exchange) connectAndSend(ctx context.Context, b *wire.Batch, e *endpoint) error {
	for range maxConnections {
		x.mu.Lock()
		if x.state == over {
			x.mu.Unlock()
			return context.Canceled
		}
		result := x.send(b, e, time.Now())
		x.mu.Unlock()
		switch result {
		case sent:
			return nil
		case noTime:
			return errNoTime
		case tooLarge:
			return errTooLarge
		case noConnection:
		}
		b.Flush()
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("connect to %s: %w", e.Addr, err)
		}
		if err := e.channel.(*pool).await(ctx); err != nil {
			return err
		}
	}
	return errNoConnection
}

// mayTryNext tells of an attempt that found no connection, and says whether
// another endpoint may be tried.
func (x *exchange) mayTryNext(ctx context.Context, e *endpoint, began time.Time, why error) bool {
	f, over := neverSent, ctx.Err() != nil || errors.Is(why, errNoTime)
	if errors.Is(why, errTooLarge) {
		f = unsendable
	}
	full := errors.Is(why, wire.ErrTooManyStreams)
	x.ended(e, outcome{fate: f, began: began, now: time.Now(), failed: f == neverSent && !over && !full})
	return x.mayGoOn(e, f, !over)
}
