package strategies

import (
	"math/rand/v2"
	"strconv"
	"time"

	"breakbank/bench/sim"
	"breakbank/platform/router/balance"
)

const (
	// costWarm is requests that are not measured: tables are built, endpoints
	// met.
	costWarm = 2000
	// costBatches of costBatch each are measured and the quickest counts: what
	// a machine adds while it does other things is never less than nothing.
	costBatches = 7
	costBatch   = 500
)

// decisionNs is the wall time, in ns, that a request costs its router's
// strategy among so many endpoints: Pick, Probes if it asks for any, and
// Observe of what follows. It is a figure of this machine, unlike all others.
func decisionNs(kind balance.StrategyKind, m sim.Model, clock func() time.Duration) float64 {
	endpoints := make([]balance.Endpoint, m.Endpoints)
	for i := range endpoints {
		endpoints[i] = balance.Endpoint{ID: "endpoint-" + strconv.Itoa(i), Healthy: true, Zone: string("abc"[i%3])}
	}
	s := kind.New()
	rng := rand.New(rand.NewPCG(1, 1))
	// One router's share of the rate, with some requests always under way.
	gap := time.Duration(float64(m.Routers) / m.RatePerS * float64(time.Second))
	now := time.Unix(1_500_000_000, 0)
	load := &balance.Load{QPS: 10, Utilization: 0.5, InFlight: 1}
	var underWay [8]string
	n := 0
	once := func() {
		now = now.Add(gap)
		i := s.Pick(now, rng, endpoints, balance.Request{Key: endpoints[n%len(endpoints)].ID, Zone: "a"})
		s.Observe(balance.Event{Kind: balance.Sent, ID: endpoints[i].ID, At: now})
		if p, ok := s.(balance.Prober); ok {
			for _, k := range p.Probes(now, rng, endpoints) {
				s.Observe(balance.Event{Kind: balance.Probed, ID: endpoints[k].ID, At: now, Took: m.ServiceMean, Load: load})
			}
		}
		slot := &underWay[n%len(underWay)]
		if *slot != "" {
			s.Observe(balance.Event{Kind: balance.Done, ID: *slot, At: now, Took: m.ServiceMean, Load: load})
		}
		*slot = endpoints[i].ID
		n++
	}
	for range costWarm {
		once()
	}
	least := time.Duration(1<<63 - 1)
	for range costBatches {
		began := clock()
		for range costBatch {
			once()
		}
		least = min(least, clock()-began)
	}
	return float64(least) / costBatch
}
