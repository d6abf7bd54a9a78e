package sim

import (
	"context"
	"math"
	"reflect"
	"testing"
	"time"

	"breakbank/platform/router/balance"
)

// small is a service that is quick to play.
func small() Model {
	m := Model{
		Endpoints: 12, Routers: 3, Workers: 1, ServiceMean: 100 * time.Millisecond,
		Service: "exponential", Queue: "fifo", Patience: 2 * time.Second,
	}
	m.RatePerS = 0.55 * m.CapacityPerS()
	return m
}

func play(t *testing.T, m Model, s Scenario, strategy string, seed uint64) *Outcome {
	t.Helper()
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	o, err := Run(t.Context(), m, s, kindOf(t, strategy), seed)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func kindOf(t *testing.T, name string) balance.StrategyKind {
	t.Helper()
	for _, k := range balance.Strategies {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("there is no strategy %q", name)
	return balance.StrategyKind{}
}

// variants are the models under which everything must hold.
func variants() map[string]Model {
	shared, ejecting, full := small(), small(), small()
	shared.Queue, shared.Workers, shared.Service = "ps", 2, "lognormal"
	shared.RatePerS = 0.55 * shared.CapacityPerS()
	ejecting.Ejection = &balance.EjectionConfig{MaxPercent: 50, PanicPercent: 50, SuccessRate: &balance.SuccessRateConfig{}}
	*ejecting.Ejection = ejecting.Ejection.WithDefaults()
	full.RatePerS = 1.5 * full.CapacityPerS()
	return map[string]Model{"plain": small(), "shared": shared, "ejecting": ejecting, "overloaded": full}
}

// Every request that arrives ends exactly once, in every scenario with every
// strategy, and nothing of it is left behind but what servers still work on
// after their callers have gone.
func TestConservation(t *testing.T) {
	for name, m := range variants() {
		for _, s := range Scenarios {
			for _, kind := range balance.Strategies {
				w := newWorld(m, s, kind, 1)
				if err := w.play(t.Context()); err != nil {
					t.Fatal(err)
				}
				o := w.outcome()
				ended, counted, timed := 0, 0, 0
				for _, n := range o.Ends {
					ended += n
				}
				for i := range o.Buckets {
					counted += o.Buckets[i].Arrived
					timed += o.Buckets[i].Latency.Count()
				}
				if o.Arrived == 0 || ended != o.Arrived || counted != o.Arrived || timed != o.Arrived {
					t.Errorf("%s, %s, %s: %d arrived, %d ended, %d counted, %d timed", name, s.Name, kind.Name, o.Arrived, ended, counted, timed)
				}
				held := 0
				for _, in := range w.instances {
					held += in.load()
				}
				if open := len(w.pool.attempts) - len(w.pool.free); open != held {
					t.Errorf("%s, %s, %s: %d attempts are kept, servers work on %d", name, s.Name, kind.Name, open, held)
				}
			}
		}
	}
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	for _, kind := range balance.Strategies {
		a, b := play(t, small(), zoneLoss, kind.Name, 7), play(t, small(), zoneLoss, kind.Name, 7)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: two runs with the same seed differ", kind.Name)
		}
		if c := play(t, small(), zoneLoss, kind.Name, 8); reflect.DeepEqual(a, c) {
			t.Errorf("%s: another seed makes no difference", kind.Name)
		}
	}
}

// The same seed puts the same requests to every strategy: as many arrive in
// every second.
func TestAllStrategiesMeetTheSameRequests(t *testing.T) {
	for _, s := range Scenarios {
		first := play(t, small(), s, balance.Strategies[0].Name, 3)
		for _, kind := range balance.Strategies[1:] {
			o := play(t, small(), s, kind.Name, 3)
			for i := range o.Buckets {
				if o.Buckets[i].Arrived != first.Buckets[i].Arrived {
					t.Fatalf("%s, %s: %d requests in second %d, %s had %d", s.Name, kind.Name,
						o.Buckets[i].Arrived, i, balance.Strategies[0].Name, first.Buckets[i].Arrived)
				}
			}
		}
	}
}

func TestARunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, small(), steady, kindOf(t, "random"), 1); err == nil {
		t.Error("it played on")
	}
}

// One router that takes turns gives everybody the same, to one request.
func TestRoundRobinSharesEqually(t *testing.T) {
	m := small()
	m.Routers = 1
	o := play(t, m, steady, "round-robin", 1)
	least, most := math.Inf(1), 0.0
	for _, l := range o.Loads {
		least, most = min(least, l), max(most, l)
	}
	if len(o.Loads) != m.Endpoints || least == 0 || most-least > 1 {
		t.Errorf("between %v and %v requests an instance, of %d", least, most, len(o.Loads))
	}
}

func TestModelsAreChecked(t *testing.T) {
	for name, spoil := range map[string]func(*Model){
		"no endpoints":       func(m *Model) { m.Endpoints = 0 },
		"too many endpoints": func(m *Model) { m.Endpoints = EndpointsMax + 1 },
		"too many pairs":     func(m *Model) { m.Endpoints, m.Routers = EndpointsMax, RoutersMax },
		"no routers":         func(m *Model) { m.Routers = 0 },
		"no workers":         func(m *Model) { m.Workers = 0 },
		"no service time":    func(m *Model) { m.ServiceMean = 0 },
		"a queue of a kind":  func(m *Model) { m.Queue = "stack" },
		"a distribution":     func(m *Model) { m.Service = "normal" },
		"no patience":        func(m *Model) { m.Patience = m.ServiceMean },
		"no rate":            func(m *Model) { m.RatePerS = 0 },
		"no number":          func(m *Model) { m.RatePerS = math.NaN() },
		"too high a rate":    func(m *Model) { m.RatePerS = RequestsMax },
	} {
		m := small()
		spoil(&m)
		if m.Check() == nil {
			t.Errorf("%s: nothing was said", name)
		}
	}
	if err := small().Check(); err != nil {
		t.Error(err)
	}
}
