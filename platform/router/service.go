package router

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/connectivity"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
)

// service is one name of the table with what balances its instances. Its lock
// is held for a pick and for the end of an attempt, never while waiting.
type service struct {
	name string
	log  *slog.Logger

	mu        sync.Mutex
	entry     discovery.Entry
	endpoints []*endpoint        // replaced when the entry changes
	view      []balance.Endpoint // of endpoints, in the same order
	strategy  balance.Strategy
	ejector   *balance.Ejector // nil: off
	budget    balance.Budget
	rng       *rand.Rand
	used      bool // some request wanted it
}

func newService(name string, c Config, seed uint64, log *slog.Logger) (*service, error) {
	strategy, err := balance.New(c.Strategy)
	if err != nil {
		return nil, err
	}
	budget, err := balance.NewBudget(c.Retries.Kind, balance.BudgetConfig{
		Max: c.Retries.Max, Ratio: c.Retries.Ratio, MinPerS: c.Retries.MinPerS, Window: c.Retries.Window,
	})
	if err != nil {
		return nil, err
	}
	s := &service{name: name, log: log, strategy: strategy, budget: budget, rng: newRand(seed, name)}
	if c.Ejection != nil {
		s.ejector = balance.NewEjector(balance.EjectionConfig(*c.Ejection))
	}
	return s, nil
}

// update takes a new entry. Endpoints that stay keep their connection and
// what is known of their load; one that goes lives until its last attempt
// ends.
func (s *service) update(entry discovery.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.endpoints
	s.entry, s.endpoints = entry, make([]*endpoint, 0, len(entry.Endpoints))
	for _, e := range entry.Endpoints {
		if s.indexOf(s.endpoints, e) >= 0 {
			continue
		}
		if i := s.indexOf(old, e); i >= 0 {
			s.endpoints = append(s.endpoints, old[i])
			continue
		}
		fresh := &endpoint{Endpoint: e}
		if s.used && s.open(fresh) {
			fresh.conn.Connect() // before the first request needs it
		}
		s.endpoints = append(s.endpoints, fresh)
	}
	s.view = make([]balance.Endpoint, len(s.endpoints))
	for i, e := range s.endpoints {
		s.view[i].ID = e.Addr
	}
	for _, e := range old {
		if !slices.Contains(s.endpoints, e) {
			s.retire(e)
		}
	}
}

func (s *service) indexOf(in []*endpoint, e discovery.Endpoint) int {
	return slices.IndexFunc(in, func(have *endpoint) bool { return have.Endpoint == e })
}

func (s *service) retire(e *endpoint) {
	e.retired = true
	if !slices.ContainsFunc(s.endpoints, func(other *endpoint) bool { return other.Addr == e.Addr }) {
		s.strategy.Observe(balance.Event{Kind: balance.Gone, ID: e.Addr})
		if s.ejector != nil {
			s.ejector.Forget(e.Addr)
		}
	}
	if e.active == 0 {
		e.close()
	}
}

// open sees to it that an endpoint has a channel, and says whether it has.
func (s *service) open(e *endpoint) bool {
	if err := e.open(s.name); err != nil {
		s.log.Warn("an address cannot be dialled", "service", s.name, "addr", e.Addr, "error", err)
		return false
	}
	return true
}

// close ends all connections, under way or not.
func (s *service) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		e.close()
	}
	s.endpoints, s.view, s.entry = nil, nil, discovery.Entry{}
}

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
func (s *service) pick(now time.Time, method string, tried []*endpoint) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoints, view := s.endpoints, s.view
	if len(tried) > 0 {
		endpoints = slices.DeleteFunc(slices.Clone(endpoints), func(e *endpoint) bool { return slices.Contains(tried, e) })
		view = make([]balance.Endpoint, len(endpoints))
	}
	if len(endpoints) == 0 {
		return nil
	}
	for i, e := range endpoints {
		view[i] = balance.Endpoint{ID: e.Addr, Healthy: !now.Before(e.skipUntil)}
	}
	if s.ejector != nil {
		s.ejector.Mark(now, view)
	}
	e := endpoints[s.strategy.Pick(now, s.rng, view, balance.Request{Method: method})]
	if !s.open(e) {
		e.unreachable(now)
		return nil
	}
	e.active++
	s.strategy.Observe(balance.Event{Kind: balance.Sent, ID: e.Addr, At: now})
	return e
}

// done ends an attempt. It returns evidence for discovery if there is any.
func (s *service) done(e *endpoint, began, now time.Time, f fate, failed bool) (discovery.Evidence, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strategy.Observe(balance.Event{Kind: balance.Done, ID: e.Addr, At: now, Took: now.Sub(began)})
	e.active--
	if e.retired {
		if e.active == 0 {
			e.close()
		}
		return discovery.Evidence{}, false
	}
	if s.ejector != nil && (failed || f == answered) {
		if s.ejector.Observe(now, e.Addr, !failed, len(s.endpoints)) {
			s.log.Info("endpoint ejected", "service", s.name, "addr", e.Addr)
		}
	}
	evidence := discovery.Evidence{Service: s.name, Addr: e.Addr}
	switch f {
	case neverSent:
		// Either the channel says that it cannot connect, or the caller left
		// before it had; an impatient one proves nothing, nor does one that
		// waited for a free stream.
		if !failed && (e.conn.GetState() == connectivity.Ready || now.Sub(began) < unreachableAfter) {
			return discovery.Evidence{}, false
		}
		e.unreachable(now)
		evidence.Kind = discovery.Unreachable
	case misdelivered:
		evidence.Kind = discovery.Misdelivered
	case answered, lost:
		e.reached()
		return discovery.Evidence{}, false
	case abandoned, unsendable:
		return discovery.Evidence{}, false
	}
	if now.Sub(e.reportedAt) < evidenceEvery {
		return discovery.Evidence{}, false
	}
	e.reportedAt = now
	return evidence, true
}

// addresses returns a copy of the table's line, for outsiders.
func (s *service) addresses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	addresses := make([]string, len(s.entry.Endpoints))
	for i, e := range s.entry.Endpoints {
		addresses[i] = e.Addr
	}
	return addresses
}
