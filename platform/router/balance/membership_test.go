package balance

import (
	"fmt"
	"testing"
	"time"
)

// Whoever joins is used, and not flooded: in its first two seconds it gets
// between a third and three times its share.
func TestJoin(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			w := newWorld(kind, 4)
			w.run(800, 15*time.Second)
			w.join(Endpoint{ID: "10.1.0.1:1", Healthy: true})
			if share := w.share("10.1.0.1:1", 800, 2*time.Second); share < 1./3 || share > 3 {
				t.Errorf("it gets %.2f of its share", share)
			}
		})
	}
}

// When one leaves, all others share what was its.
func TestLeave(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			c := newTestCaller(kind, 1, testEndpoints(5))
			c.spread(1000)
			c.leave(c.endpoints[2].ID)
			counts := c.spread(4000)
			for _, e := range c.endpoints {
				if got := counts[e.ID]; got < 700 || got > 1300 {
					t.Errorf("%s got %d of 4000, with four left", e.ID, got)
				}
			}
		})
	}
}

// The owner does not ask for a pick among none. It relies on a strategy that
// has been told that all have gone, and is then shown others, or the same.
func TestServiceThatWasEmpty(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			c := newTestCaller(kind, 1, testEndpoints(3))
			c.spread(100)
			for len(c.endpoints) > 0 {
				c.leave(c.endpoints[0].ID)
			}
			c.endpoints = testEndpoints(5)[1:]
			for id, got := range c.spread(4000) {
				if got < 700 || got > 1300 {
					t.Errorf("%s got %d of 4000, with four there", id, got)
				}
			}
		})
	}
}

// Requests end after their endpoint has left; a new one at the same address
// starts afresh all the same.
func TestLateAnswersChangeNothing(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			c := newTestCaller(kind, 1, testEndpoints(3))
			c.spread(100)
			late := c.endpoints[0]
			for range 10 {
				c.strategy.Observe(Event{Kind: Sent, ID: late.ID, At: c.now})
			}
			c.leave(late.ID)
			for range 10 {
				c.strategy.Observe(Event{Kind: Done, ID: late.ID, At: c.now, Took: time.Minute, Failed: true})
				c.strategy.Observe(Event{Kind: Probed, ID: late.ID, At: c.now, Took: time.Minute})
			}
			c.endpoints = append(c.endpoints, late)
			if got := c.spread(3000)[late.ID]; got < 700 || got > 1300 {
				t.Errorf("it got %d of 3000, with three there", got)
			}
		})
	}
}

// No strategy remembers those who have gone: services live for months and
// their instances for hours.
func TestTheGoneAreForgotten(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			c := newTestCaller(kind, 1, testEndpoints(3))
			for i := range 60 {
				c.endpoints = append(c.endpoints, Endpoint{ID: fmt.Sprint("10.2.0.1:", i), Healthy: true})
				c.spread(10)
				c.leave(c.endpoints[0].ID)
			}
			c.spread(10)
			// Queues and tables may be put right lazily, so not exactly 3.
			if got := remembered(t, c.strategy); got > 16 {
				t.Errorf("%d endpoints are remembered, with three there", got)
			}
		})
	}
}

// remembered is how many endpoints a strategy holds anything about.
func remembered(t *testing.T, s Strategy) int {
	switch s := s.(type) {
	case *strategy:
		return rememberedByMetric(t, s.metric)
	case *weightedRR:
		return len(s.members.byID)
	case *kratos:
		return len(s.endpoints)
	case *prequal:
		return max(len(s.members.byID), len(s.pool.probes))
	case *joinIdle:
		return max(len(s.members.byID), len(s.queue)-s.head)
	case *hashing:
		return max(len(s.members.byID), len(s.built))
	case *subset:
		return max(len(s.ranking.members.byID), len(s.ranking.ranked), rememberedByMetric(t, s.load))
	case *aperture:
		return max(len(s.ranking.members.byID), len(s.ranking.ranked), rememberedByMetric(t, s.load))
	case *zoneAware:
		return rememberedByMetric(t, s.load)
	}
	t.Fatalf("say here how many endpoints a %T remembers", s)
	return 0
}

func rememberedByMetric(t *testing.T, m Metric) int {
	switch m := m.(type) {
	case noLoad:
		return 0
	case *outstanding:
		return len(m.count)
	case *peakEWMA:
		return len(m.endpoints)
	case *toldLoad:
		return len(m.endpoints)
	}
	t.Fatalf("say here how many endpoints a %T remembers", m)
	return 0
}
