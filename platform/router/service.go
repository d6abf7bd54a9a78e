package router

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/overload"
)

// service is one name of the table with what balances its instances. Its lock
// is held for a pick and for the end of an attempt, never while waiting.
type service struct {
	name  string
	plane dataPlane
	log   *slog.Logger

	mu        sync.Mutex
	entry     discovery.Entry
	endpoints []*endpoint        // replaced when the entry changes
	view      []balance.Endpoint // of endpoints, in the same order
	strategy  balance.Strategy
	prober    balance.Prober // the strategy, if it wants probes
	informed  bool           // it wants to hear what instances say of themselves
	budget    balance.Budget
	rng       *rand.Rand
	used      bool // some request wanted it

	// Overlays; nil is off.
	failFast  balance.FailFastConfig
	ejector   *balance.Ejector
	accrual   *balance.Accrual
	slowStart *balance.SlowStartConfig
	hedger    *balance.Hedger
	door      *overload.Door[*place]
	deadlines *overload.Deadlines

	// illUntil is when the last endpoint known to be ill may be well again, and
	// someIll that the view says so of one: only then is it looked over for a
	// pick.
	illUntil time.Time
	someIll  bool

	metrics serviceMetrics
}

func newService(name string, c Config, plane dataPlane, seed uint64, log *slog.Logger) (*service, error) {
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
	s := &service{name: name, plane: plane, log: log, strategy: strategy, budget: budget, rng: newRand(seed, name)}
	s.prober, _ = strategy.(balance.Prober)
	_, s.informed = strategy.(balance.Informed)
	s.layOver(c)
	return s, nil
}

// update takes a new entry. Endpoints that stay keep their connection and
// what is known of their load; one that goes lives until its last attempt
// ends.
func (s *service) update(now time.Time, entry discovery.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.endpoints
	s.entry, s.endpoints = entry, make([]*endpoint, 0, len(entry.Endpoints))
	for _, e := range entry.Endpoints {
		if s.indexOf(s.endpoints, e) >= 0 {
			continue
		}
		if i := s.indexOf(old, e); i >= 0 {
			old[i].Zone = e.Zone
			s.endpoints = append(s.endpoints, old[i])
			continue
		}
		fresh := &endpoint{Endpoint: e, joined: now}
		if s.slowStart != nil {
			s.ill(now.Add(s.slowStart.Window))
		}
		if s.used {
			s.open(fresh)
			fresh.channel.connect() // before the first request needs it
		}
		s.endpoints = append(s.endpoints, fresh)
	}
	s.view = make([]balance.Endpoint, len(s.endpoints))
	for i, e := range s.endpoints {
		s.view[i] = balance.Endpoint{ID: e.Addr, Healthy: true, Zone: e.Zone}
	}
	s.someIll = true // as far as is known before it is looked over
	for _, e := range old {
		if !slices.Contains(s.endpoints, e) {
			s.retire(e)
		}
	}
}

// indexOf finds an instance, whatever its zone is thought to be.
func (s *service) indexOf(in []*endpoint, e discovery.Endpoint) int {
	return slices.IndexFunc(in, func(have *endpoint) bool { return have.Addr == e.Addr && have.Instance == e.Instance })
}

func (s *service) retire(e *endpoint) {
	e.retired = true
	if !slices.ContainsFunc(s.endpoints, func(other *endpoint) bool { return other.Addr == e.Addr }) {
		s.strategy.Observe(balance.Event{Kind: balance.Gone, ID: e.Addr})
		s.forget(e.Addr)
	}
	if e.active == 0 {
		e.close()
	}
}

// open gives an endpoint its channel when it is first needed: a table has many
// names, of which a node uses few.
func (s *service) open(e *endpoint) {
	if e.channel == nil {
		e.channel = s.plane.channel(s.name, e.Addr)
	}
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
