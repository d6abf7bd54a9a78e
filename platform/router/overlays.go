package router

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/overload"
)

// layOver gives a service the overlays that the configuration names.
func (s *service) layOver(c Config) {
	s.failFast = balance.FailFastConfig{}.WithDefaults()
	if c.Overlays.FailFast != nil {
		s.failFast = *c.Overlays.FailFast
	}
	if c.Ejection != nil {
		s.ejector = balance.NewEjector(*c.Ejection)
	}
	if c.Overlays.Accrual != nil {
		s.accrual = balance.NewAccrual(*c.Overlays.Accrual)
	}
	if c.Overlays.Hedging != nil {
		s.hedger = balance.NewHedger(*c.Overlays.Hedging)
	}
	s.slowStart = c.Overlays.SlowStart
	s.deadlines = overload.NewDeadlines(c.Overlays.Deadline)
	if c.Overlays.limits() {
		s.door = overload.NewDoor[*place](c.Overlays.Config)
	}
}

// limits says whether any overlay may refuse a request or make it wait.
func (o Overlays) limits() bool {
	return o.Concurrency != nil || o.Breaker != nil || o.Admission != nil
}

// mark takes out of the view those that an overlay has taken out of rotation.
// The ejector comes last, because of its panic threshold.
func (s *service) mark(now time.Time, view []balance.Endpoint) {
	if s.accrual != nil {
		s.accrual.Mark(now, view)
	}
	if s.ejector != nil {
		s.ejector.Mark(now, view)
	}
}

// forget drops what overlays know of an address that left the table.
func (s *service) forget(addr string) {
	if s.accrual != nil {
		s.accrual.Forget(addr)
	}
	if s.ejector != nil {
		s.ejector.Forget(addr)
	}
}

// judge tells the overlays how an attempt ended.
func (s *service) judge(e *endpoint, a outcome) {
	verdict := balance.Neither
	switch {
	case a.failed:
		verdict = balance.Faulty
	case a.fate == answered:
		verdict = balance.Fine
	}
	if s.accrual != nil && s.accrual.Done(a.now, s.rng, e.Addr, verdict) {
		s.someIll = true
		s.metrics.Eject()
		s.log.Info("endpoint marked dead", "service", s.name, "addr", e.Addr)
	}
	if s.ejector == nil {
		return
	}
	ejected := verdict != balance.Neither && s.ejector.Observe(a.now, e.Addr, verdict == balance.Fine, len(s.endpoints))
	if ejected {
		s.metrics.Eject()
		s.log.Info("endpoint ejected", "service", s.name, "addr", e.Addr)
	}
	for _, addr := range s.ejector.Sweep(a.now, len(s.endpoints)) {
		ejected = true
		s.metrics.Eject()
		s.log.Info("endpoint ejected by its success rate", "service", s.name, "addr", addr)
	}
	if ejected {
		s.ill(s.ejector.Until())
	}
}

// place is a request that waits before the door of a service.
type place struct {
	called chan overload.Turn[*place] // holds one
}

// enter asks whether a request may go on now, and if it must wait, from where.
func (s *service) enter(now time.Time, level overload.Criticality) (overload.Answer, *place) {
	p := &place{called: make(chan overload.Turn[*place], 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.door.Arrive(now, s.rng, level, p), p
}

// leave ends a request that was admitted, and lets in those that wait.
func (s *service) leave(now time.Time, took time.Duration, o overload.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.door.Done(now, took, o)
	for turn, ok := s.door.Next(now, s.rng); ok; turn, ok = s.door.Next(now, s.rng) {
		turn.Who.called <- turn // it has room: nobody is called twice
	}
}

// giveUp takes a place out of the queue. It returns the turn that the place
// was given meanwhile, if it was.
func (s *service) giveUp(p *place) (turn overload.Turn[*place], called bool) {
	s.mu.Lock()
	left := s.door.Leave(time.Now(), p)
	s.mu.Unlock()
	if left {
		return turn, false
	}
	return <-p.called, true
}

// enter asks the overlays of the service whether the request may go on at
// once. It returns a place where it must wait first, or an error if it may
// not.
func (c *course) enter(now time.Time) (*place, time.Time, error) {
	if c.service.door == nil || c.admittedBy != nil {
		return nil, time.Time{}, nil
	}
	answer, p := c.service.enter(now, c.level)
	switch {
	case answer.Admitted:
		c.admitted(now)
		return nil, time.Time{}, nil
	case answer.Waiting:
		return p, answer.Until, nil
	}
	return nil, time.Time{}, c.turnedAway(answer.Reason)
}

// admit finds the service and waits until the request may go on.
func (c *course) admit(ctx context.Context) error {
	if c.service == nil {
		if err := c.resolve(ctx); err != nil {
			return err
		}
	}
	p, until, err := c.enter(time.Now())
	if err != nil || p == nil {
		return err
	}
	return c.await(ctx, p, until)
}

// await waits for the turn of a place.
func (c *course) await(ctx context.Context, p *place, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	var turn overload.Turn[*place]
	called := true
	select {
	case turn = <-p.called:
	case <-timer.C:
		turn, called = c.service.giveUp(p)
	case <-ctx.Done():
		turn, called = c.service.giveUp(p)
	}
	switch {
	case !called && ctx.Err() != nil:
		return c.unavailable(ctx, "waiting for its turn")
	case !called:
		return c.turnedAway(overload.ReasonQueue)
	case !turn.Admitted:
		return c.turnedAway(turn.Reason)
	}
	c.admitted(time.Now())
	return nil
}

func (c *course) admitted(now time.Time) { c.admittedBy, c.admittedAt = c.service, now }

// turnedAway is the error of a request that an overlay has refused.
func (c *course) turnedAway(reason string) error {
	return c.notExecuted("refused by overlay " + reason)
}

// timeLeft is how much of the caller's time to send a request on with; false
// if it is not worth sending.
func (s *service) timeLeft(now time.Time, timeout, spent time.Duration) (time.Duration, bool) {
	if s.deadlines == nil {
		return s.deadlines.Left(now, timeout, spent)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadlines.Left(now, timeout, spent)
}

// learn tells the overlays that judge the service as a whole how a request
// ended. unary says that its length says something.
func (c *course) learn(now time.Time, code codes.Code, unary bool) {
	if s := c.service; s != nil && s.deadlines != nil && unary && c.lastFate == answered && c.attempts > 0 {
		s.mu.Lock()
		s.deadlines.Answered(now, now.Sub(c.began))
		s.mu.Unlock()
	}
	if c.admittedBy == nil {
		return
	}
	took := time.Duration(0)
	if unary {
		took = now.Sub(c.admittedAt)
	}
	c.admittedBy.leave(now, took, c.result(code))
	c.admittedBy = nil
}

// result is what the end of a request says of the service.
func (c *course) result(code codes.Code) overload.Outcome {
	switch {
	case c.attempts == 0 || c.lastFate == neverSent || c.lastFate == unsendable || code == codes.Canceled:
		return overload.Ignored
	case c.lastFate == lost, failedStatus(code), code == codes.ResourceExhausted, code == codes.DeadlineExceeded:
		return overload.Failed
	}
	return overload.Answered
}
