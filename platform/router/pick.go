package router

import (
	"slices"
	"time"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
)

// request notes a new request.
func (s *service) request(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	s.budget.Request(now)
}

// mayRetry asks the retry budget for one more attempt.
func (s *service) mayRetry(now time.Time, retried int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budget.Retry(now, retried)
}

// pick chooses an endpoint that is not among tried, nil if there is none, and
// counts an attempt on it.
func (s *service) pick(now time.Time, ask balance.Request, tried []*endpoint) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoints, view := s.endpoints, s.view
	s.look(now)
	if len(tried) > 0 {
		endpoints, view = untried(endpoints, view, tried)
	}
	if len(endpoints) == 0 {
		return nil
	}
	e := endpoints[s.strategy.Pick(now, s.rng, view, ask)]
	s.open(e)
	e.active++
	s.strategy.Observe(balance.Event{Kind: balance.Sent, ID: e.Addr, At: now})
	if s.accrual != nil {
		s.accrual.Sent(now, e.Addr)
	}
	if s.prober != nil {
		for _, i := range s.prober.Probes(now, s.rng, s.view) {
			s.open(s.endpoints[i])
			s.endpoints[i].channel.probe(s.probed)
		}
	}
	return e
}

// probed takes an instance's answer to a probe.
func (s *service) probed(addr string, took time.Duration, load balance.Load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.endpoints, func(e *endpoint) bool { return e.Addr == addr }) {
		s.strategy.Observe(balance.Event{Kind: balance.Probed, ID: addr, At: time.Now(), Took: took, Load: &load})
	}
}

// look brings the view up to date, if there is any reason to.
func (s *service) look(now time.Time) {
	ill := now.Before(s.illUntil) || s.accrual != nil && s.accrual.AnyDead()
	if !ill && !s.someIll {
		return
	}
	for i, e := range s.endpoints {
		s.view[i].Healthy = !e.reached.Skipped(now)
		if s.slowStart != nil {
			s.view[i].Weight = s.slowStart.Weight(now.Sub(e.joined))
		}
	}
	s.mark(now, s.view)
	s.someIll = ill
}

// ill notes that some endpoint is not to be picked as usual for a while.
func (s *service) ill(until time.Time) {
	s.someIll = true
	if until.After(s.illUntil) {
		s.illUntil = until
	}
}

// untried returns the endpoints, and what is known of them, less those tried.
func untried(endpoints []*endpoint, view []balance.Endpoint, tried []*endpoint) ([]*endpoint, []balance.Endpoint) {
	left := make([]*endpoint, 0, len(endpoints))
	known := make([]balance.Endpoint, 0, len(endpoints))
	for i, e := range endpoints {
		if !slices.Contains(tried, e) {
			left, known = append(left, e), append(known, view[i])
		}
	}
	return left, known
}

// done ends an attempt. It returns evidence for discovery if there is any.
func (s *service) done(e *endpoint, a outcome) (discovery.Evidence, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strategy.Observe(balance.Event{Kind: balance.Done, ID: e.Addr, At: a.now, Took: a.now.Sub(a.began), Failed: a.failed, Load: a.load})
	e.active--
	if e.retired {
		if e.active == 0 {
			e.close()
		}
		return discovery.Evidence{}, false
	}
	s.judge(e, a)
	evidence := discovery.Evidence{Service: s.name, Addr: e.Addr}
	switch a.fate {
	case neverSent:
		// Either the channel says that it cannot connect, or the caller left
		// before it had; an impatient one proves nothing, nor does one that
		// waited for a free stream.
		if a.spared || !a.failed && (e.channel.ready() || a.now.Sub(a.began) < unreachableAfter) {
			return discovery.Evidence{}, false
		}
		e.reached.Unreachable(a.now, s.failFast)
		s.ill(e.reached.Until())
		evidence.Kind = discovery.Unreachable
	case misdelivered:
		evidence.Kind = discovery.Misdelivered
	case answered, lost:
		e.reached.Reached()
		return discovery.Evidence{}, false
	case abandoned, unsendable:
		return discovery.Evidence{}, false
	}
	if a.now.Sub(e.reportedAt) < evidenceEvery {
		return discovery.Evidence{}, false
	}
	e.reportedAt = a.now
	return evidence, true
}
