package clientside

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"breakbank/platform/router"
	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
)

// evidenceEvery bounds how often one address is reported to discovery (as in a
// router).
const evidenceEvery = time.Second

// service balances the instances of one service for one caller. Its lock is
// held for a pick and for the end of an attempt, never while waiting.
type service struct {
	name  string
	table *table
	log   *slog.Logger

	mu         sync.Mutex
	strategy   balance.Strategy
	ejector    *balance.Ejector // nil: off
	budget     balance.Budget
	rng        *rand.Rand
	view       []balance.Endpoint // of a pick, kept for the next
	zones      map[string]string  // by address; nil: nobody wants to know
	reportedAt map[string]time.Time
}

// newService makes what balances a service. Every name in the configuration
// was checked when that was read.
func newService(name string, t *table, c router.Config) *service {
	strategy, _ := balance.New(c.Strategy)
	budget, _ := balance.NewBudget(c.Retries.Kind, balance.BudgetConfig{
		Max: c.Retries.Max, Ratio: c.Retries.Ratio, MinPerS: c.Retries.MinPerS, Window: c.Retries.Window,
	})
	s := &service{
		name: name, table: t, log: t.caller.log, strategy: strategy, budget: budget,
		rng: newRand(t.caller.plane.options.Seed, t.caller.instance+"/"+name), reportedAt: map[string]time.Time{},
	}
	if c.Ejection != nil {
		s.ejector = balance.NewEjector(*c.Ejection)
	}
	return s
}

// locate takes where instances are. They keep their connections, whatever that
// is.
func (s *service) locate(entry discovery.Entry) {
	if _, zoned := s.strategy.(balance.Zoned); !zoned {
		return
	}
	zones := make(map[string]string, len(entry.Endpoints))
	for _, e := range entry.Endpoints {
		zones[e.Addr] = e.Zone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones = zones
}

// request notes a new request.
func (s *service) request(now time.Time) {
	s.table.incarnation.requests.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.Request(now)
}

// mayRetry asks the retry budget for one more attempt.
func (s *service) mayRetry(now time.Time, retried int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budget.Retry(now, retried)
}

// pick chooses among instances, which are connected and at least one, and
// counts an attempt.
func (s *service) pick(now time.Time, r balance.Request, among []*instance) *instance {
	s.table.incarnation.attempts.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = s.view[:0]
	for _, in := range among {
		s.view = append(s.view, balance.Endpoint{ID: in.addr, Healthy: true, Zone: s.zones[in.addr]})
	}
	if s.ejector != nil {
		s.ejector.Mark(now, s.view)
	}
	in := among[s.strategy.Pick(now, s.rng, s.view, r)]
	s.strategy.Observe(balance.Event{Kind: balance.Sent, ID: in.addr, At: now})
	return in
}

// outcome is what an attempt tells the balancer.
type outcome struct {
	at         *instance
	began, now time.Time
	fate       fate
	failed     bool          // it counts against the instance
	load       *balance.Load // what the instance said of itself, nil if nothing
}

// done ends an attempt at one of so many instances.
func (s *service) done(o outcome, instances int) {
	s.mu.Lock()
	s.strategy.Observe(balance.Event{
		Kind: balance.Done, ID: o.at.addr, At: o.now, Took: o.now.Sub(o.began), Failed: o.failed, Load: o.load,
	})
	if s.ejector != nil && (o.failed || o.fate == answered) && s.ejector.Observe(o.now, o.at.addr, !o.failed, instances) {
		s.log.Info("instance ejected", "service", s.name, "addr", o.at.addr)
	}
	s.mu.Unlock()
	if o.fate == misdelivered {
		s.report(discovery.Misdelivered, o.at.addr, o.now)
	}
}

// report tells discovery what was found at an address.
func (s *service) report(kind discovery.EvidenceKind, addr string, now time.Time) {
	s.mu.Lock()
	due := now.Sub(s.reportedAt[addr]) >= evidenceEvery
	if due {
		s.reportedAt[addr] = now
	}
	s.mu.Unlock()
	if due {
		s.table.feed.Testify(discovery.Evidence{Kind: kind, Service: s.name, Addr: addr})
	}
}

// forget drops what is known of an instance that left the table.
func (s *service) forget(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strategy.Observe(balance.Event{Kind: balance.Gone, ID: addr})
	if s.ejector != nil {
		s.ejector.Forget(addr)
	}
	delete(s.reportedAt, addr)
}
