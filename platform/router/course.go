package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/overload"
)

// course is the way of one request to an answer, over as many attempts as it
// takes and may have, whatever data plane moves its bytes. It belongs to one
// goroutine at a time.
type course struct {
	router *Router
	name   string // of the service, as the caller knows it
	ask    balance.Request
	began  time.Time

	// repeatable: the caller said that it may be executed twice.
	repeatable bool

	service  *service
	counted  *serviceMetrics
	tried    []*endpoint // not to be tried again: they did not take it
	attempts int
	retried  int  // attempts that the budget paid for
	sentOnce bool // some attempt may have been executed
	lastFate fate
	patience time.Time

	// For the access log: who asks, for what, and who was asked last.
	caller, requestID string
	asked             *endpoint

	level      overload.Criticality
	admittedBy *service // whose overlays have let it in; nil: none
	admittedAt time.Time
}

// find looks the service up. It reports false when there is no such name in
// the table, or no table.
func (c *course) find() bool {
	t := c.router.table
	s := t.named(c.name)
	if s == nil || t.state.Load().Basis == discovery.Pending {
		return false
	}
	c.service, c.name = s, s.name
	c.patience = c.began.Add(*c.router.config.BetterTableWait)
	c.counted = &s.metrics
	c.counted.Request()
	s.request(c.began)
	return true
}

// resolve finds the service. While there is no table at all it waits for the
// binding timeout; with a table, for a better one.
func (c *course) resolve(ctx context.Context) error {
	t := c.router.table
	for {
		changed := t.changes()
		if c.find() {
			return nil
		}
		wait, why := *c.router.config.BetterTableWait, "no such name in the table"
		if t.state.Load().Basis == discovery.Pending {
			wait, why = c.router.config.BindingTimeout, "no table yet, the name is pending"
		} else {
			c.router.missed(c.name)
		}
		better, err := t.await(ctx, changed, c.began.Add(wait))
		switch {
		case err != nil:
			why = fmt.Sprintf("%s: %v", why, err)
		case !better:
			why = fmt.Sprintf("%s after %v", why, wait)
		default:
			continue
		}
		c.unrouted()
		return c.unavailable(ctx, why)
	}
}

// unrouted counts a request for which there is no service.
func (c *course) unrouted() {
	c.counted = &c.router.counters.unrouted
	c.counted.Request()
}

// pick chooses an endpoint that has not been tried, nil if there is none. It
// counts as an attempt, and ended must be called for it.
func (c *course) pick(now time.Time) *endpoint {
	e := c.service.pick(now, c.ask, c.tried)
	if e != nil {
		c.attempts++
		c.router.attempts.Add(1)
		c.counted.Attempt()
	}
	return e
}

// next is pick, but when there is no endpoint it waits for a better table,
// within the request's patience.
func (c *course) next(ctx context.Context) (*endpoint, error) {
	t := c.router.table
	for {
		changed := t.changes()
		if s := t.lookup(c.name); s != nil {
			c.service = s
		}
		if e := c.pick(time.Now()); e != nil {
			return e, nil
		}
		why := fmt.Sprintf("no live endpoint, %d tried", len(c.tried))
		better, err := t.await(ctx, changed, c.patience)
		if err != nil {
			return nil, c.unavailable(ctx, fmt.Sprintf("%s: %v", why, err))
		}
		if !better {
			return nil, c.unavailable(ctx, why)
		}
	}
}

// ended tells the balancer and discovery what became of an attempt.
func (c *course) ended(e *endpoint, a outcome) {
	c.lastFate, c.asked = a.fate, e
	if evidence, ok := c.service.done(e, a); ok {
		c.router.discovery.Testify(evidence)
	}
}

// mayGoOn decides about another attempt after one at e that brought no answer.
// One that no server executed is free: it is bounded by the number of
// endpoints, for none is tried twice. One that was lost needs the caller's
// word that it may be repeated, and budget. inTime says that the caller is
// still there.
func (c *course) mayGoOn(e *endpoint, f fate, inTime bool) bool {
	switch f {
	case neverSent, misdelivered:
		if inTime {
			c.tried = append(c.tried, e)
		}
		return inTime
	case lost:
		c.sentOnce = true
		if inTime && c.repeatable && c.service.mayRetry(time.Now(), c.retried) {
			c.retried++
			c.counted.Retry()
			return true
		}
	case answered, abandoned, unsendable:
	}
	return false
}

// reconsider takes into account what came before: a server that says
// Unavailable did not execute it this time, but an attempt before it may have.
func (c *course) reconsider(f fate, code codes.Code) fate {
	if c.sentOnce && f == answered && code == codes.Unavailable {
		return lost
	}
	return f
}

// verdict is what the caller is told of the last attempt. ctx is the caller's.
func (c *course) verdict(ctx context.Context, f fate, e *endpoint, err error) error {
	switch {
	case f == neverSent:
		return c.unavailable(ctx, err.Error())
	case f == lost, c.sentOnce && !f.executed():
		return status.Errorf(codes.Aborted, "%s at %s: outcome unknown: %v", c.name, e.Addr, err)
	default:
		return err
	}
}

// unavailable is the error of a request that found no way; a caller that has
// cancelled is told so.
func (c *course) unavailable(ctx context.Context, why string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return status.Error(codes.Canceled, "cancelled by the caller")
	}
	return c.notExecuted(why)
}

// notExecuted is the error of a request that was certainly not executed, even
// when it was the caller's time that ran out, because that nothing happened is
// what a caller must know; or, if an attempt before may have been executed, an
// error that says so.
func (c *course) notExecuted(why string) error {
	if c.sentOnce {
		return status.Errorf(codes.Aborted, "%s: outcome unknown: %s", c.name, why)
	}
	return status.Errorf(codes.Unavailable, "%s: not sent: %s", c.name, why)
}

// refused counts a request that no server has executed.
func (c *course) refused() {
	if !c.sentOnce {
		c.counted.Refuse()
	}
}

// done counts the end of the request. unary says that it was one message each
// way, so that its length is a latency.
func (c *course) done(now time.Time, code codes.Code, unary bool) {
	took := now.Sub(c.began)
	c.counted.Done(code, took)
	if c.router.options.AccessLog {
		c.logCall(code, took)
	}
	c.learn(now, code, unary)
}
