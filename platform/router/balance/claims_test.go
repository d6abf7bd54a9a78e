package balance

import (
	"testing"
	"time"
)

// The claims of Traits are tested in a service of eight instances with four
// workers of 100 requests a second each, half used: 1,600 a second. The first
// 20 s do not count: weighted-rr believes nobody for 10.
//
// Of the 8,000 picks that do, an equal share is 1,000 with a binomial
// deviation of 30, so that every limit here is more than 6 of it away from 1.
const (
	claimEndpoints = 8
	claimRate      = 1600
	claimWarmUp    = 20 * time.Second
	claimMeasured  = 5 * time.Second
)

// claimShare is the share that the one instance gets which harm was done to,
// in multiples of an equal share.
func claimShare(kind StrategyKind, harm func(*instance)) float64 {
	w := newWorld(kind, claimEndpoints)
	id := w.endpoints[3].ID
	harm(w.instances[id])
	w.run(claimRate, claimWarmUp)
	return w.share(id, claimRate, claimMeasured)
}

// An instance ten times slower, which has enough to do with a tenth of its
// share, gets less than half of it from a strategy that says so. (From the
// others it gets more requests than it can serve.)
func TestSlowInstance(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			share := claimShare(kind, func(i *instance) { i.slower = 10 })
			if adapts := share < 0.5; adapts != kind.Traits.Adapts {
				t.Errorf("got %.2f of its share; Traits.Adapts says %v", share, kind.Traits.Adapts)
			}
		})
	}
}

// An instance that fails at once looks idle, and fast.
func TestFastFailingInstance(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			share := claimShare(kind, func(i *instance) { i.failing = true })
			if shuns := share < 1.25; shuns != kind.Traits.Shuns {
				t.Errorf("got %.2f of its share; Traits.Shuns says %v", share, kind.Traits.Shuns)
			}
		})
	}
}

// Whoever avoided an instance comes back to it when it has recovered: 30 s
// later it gets three quarters of its share at least.
func TestRecoveredInstance(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			for name, harm := range map[string]func(i *instance, on bool){
				"slow": func(i *instance, on bool) {
					i.slower = 1
					if on {
						i.slower = 10
					}
				},
				"failing": func(i *instance, on bool) { i.failing = on },
			} {
				w := newWorld(kind, claimEndpoints)
				id := w.endpoints[3].ID
				harm(w.instances[id], true)
				const rate = claimRate / 4
				w.run(rate, claimWarmUp)
				harm(w.instances[id], false)
				w.run(rate, 30*time.Second)
				if share := w.share(id, rate, 3*claimMeasured); share < 0.75 {
					t.Errorf("%s for a while: gets %.2f of its share", name, share)
				}
			}
		})
	}
}

// Every strategy leaves the unhealthy alone while it can find another, and
// uses all when all are unhealthy.
func TestHealthyFirst(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			c := newTestCaller(kind, 1, testEndpoints(3))
			c.endpoints[1].Healthy = false
			// With one of three ill no pair is without a healthy one, so p2c
			// never has to give up.
			if got := c.spread(3000)[c.endpoints[1].ID]; got != 0 {
				t.Errorf("the unhealthy one got %d", got)
			}
			for i := range c.endpoints {
				c.endpoints[i].Healthy = false
			}
			counts := c.spread(3000)
			for _, e := range c.endpoints {
				if counts[e.ID] == 0 {
					t.Errorf("%s got nothing although all are equally ill", e.ID)
				}
			}
		})
	}
}

// With three quarters of a service unhealthy, the rest still get nearly
// everything. A p2c that finds nothing healthy in five draws of two takes what
// it has: (¾·¾)⁵ = 5.6 % of picks.
func TestMostlyUnhealthy(t *testing.T) {
	const n, picks = 40, 20_000
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			c := newTestCaller(kind, 1, testEndpoints(n))
			for i := range c.endpoints {
				c.endpoints[i].Healthy = i%4 == 0
			}
			healthy := 0
			counts := c.spread(picks)
			for _, e := range c.endpoints {
				if e.Healthy {
					healthy += counts[e.ID]
				}
			}
			if healthy < picks*90/100 {
				t.Errorf("only %d of %d went to the healthy", healthy, picks)
			}
		})
	}
}
