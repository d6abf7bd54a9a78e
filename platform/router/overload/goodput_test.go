package overload

import (
	"math/rand/v2"
	"testing"
	"time"
)

// At twice what the service can do nobody is answered in time if nobody is
// refused; with a limit in place the service does what it can.
func TestGoodputUnderOverload(t *testing.T) {
	for _, c := range []struct {
		name        string
		config      Config
		least, most float64 // of the capacity that is answered in time
	}{
		{"nothing", Config{}, 0, 0.05},
		{"concurrency", Config{Concurrency: &ConcurrencyConfig{}}, 0.9, 1.1},
		{"concurrency and queue", Config{Concurrency: &ConcurrencyConfig{}, Queue: &QueueConfig{}}, 0.9, 1.1},
		// It lets through K times what is answered, by design.
		{"admission", Config{Admission: &AdmissionConfig{K: 1.5}}, 0, 0.9},
		{"concurrency and admission", Config{Concurrency: &ConcurrencyConfig{}, Admission: &AdmissionConfig{}}, 0.9, 1.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(c.config.WithDefaults())
			w.offer(2*capacity, 30*time.Second)
			got := w.offer(2*capacity, 20*time.Second)
			share := float64(got.answered) / (20 * capacity)
			t.Logf("%.2f of the capacity is answered in time", share)
			if share < c.least || share > c.most {
				t.Errorf("%.2f, want %.2f to %.2f", share, c.least, c.most)
			}
		})
	}
}

// What matters more is answered more, and what matters most nearly always, as
// long as it alone is not too much.
func TestCriticalFirst(t *testing.T) {
	w := newWorld(Config{Concurrency: &ConcurrencyConfig{}, Criticality: &CriticalityConfig{}, Queue: &QueueConfig{}}.WithDefaults())
	w.level = func(rng *rand.Rand) Criticality { return Criticality(rng.IntN(levels)) }
	w.offer(2*capacity, 30*time.Second)
	got := w.offer(2*capacity, 20*time.Second)
	share := func(level Criticality) float64 {
		return float64(got.answeredAt[level]) / float64(got.arrivedAt[level])
	}
	for level := Sheddable; level <= CriticalPlus; level++ {
		t.Logf("%v: %.3f answered", level, share(level))
	}
	for level := Sheddable; level < CriticalPlus; level++ {
		if share(level) > share(level+1) {
			t.Errorf("%v %.3f, %v %.3f", level, share(level), level+1, share(level+1))
		}
	}
	if share(CriticalPlus) < 0.95 {
		t.Errorf("%v: %.3f answered", CriticalPlus, share(CriticalPlus))
	}
}

// Two of three instances are gone and the router does not know. A third of the
// requests would be answered; a breaker for the whole service answers hardly
// any of them.
func TestBreakerCutsOffTheWell(t *testing.T) {
	for name, c := range map[string]Config{
		"nothing": {},
		"breaker": {Breaker: &BreakerConfig{}},
	} {
		w := newWorld(c.WithDefaults())
		w.broken = func(_ time.Time, rng *rand.Rand) bool { return rng.IntN(3) > 0 }
		got := w.offer(capacity/2, time.Minute)
		share := float64(got.answered) / float64(got.arrived)
		t.Logf("%s: %.3f answered", name, share)
		if c.Breaker == nil && share < 0.3 {
			t.Errorf("%.3f answered without a breaker", share)
		}
		if c.Breaker != nil && share > 0.05 {
			t.Errorf("%.3f answered: the example is not bad any more", share)
		}
	}
}
