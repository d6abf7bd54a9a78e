package evidence_test

import (
	"math"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/draw"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/pacer"
)

// drawn is a schedule of a pacer and nothing else.
func drawn(t testing.TB, seed uint64, p loadgen.Pacer, lasts time.Duration, population loadgen.Population) *loadgen.Schedule {
	t.Helper()
	s, err := loadgen.Draw(loadgen.Plan{
		Seed: seed, Pacer: p, Duration: lasts, Population: population,
		Journeys: []loadgen.JourneySpec{trial{patience: time.Second}.journey()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lawful are the pacers that have a law, each with some 400 arrivals in two
// seconds.
var lawful = []struct {
	name  string
	pacer loadgen.Pacer
}{
	{"poisson", pacer.Poisson{PerS: 200}},
	{"ramp up", pacer.Ramp{FromPerS: 0, ToPerS: 400, Over: 2 * time.Second}},
	{"ramp down", pacer.Ramp{FromPerS: 400, ToPerS: 50, Over: time.Second}},
	{"step", pacer.Step{FromPerS: 50, ToPerS: 350, At: time.Second}},
	{"burst", pacer.Burst{BasePerS: 100, PeakPerS: 600, For: 100 * time.Millisecond, Every: 500 * time.Millisecond}},
	{"sine", pacer.Sine{MeanPerS: 200, SwingPerS: 200, Period: 700 * time.Millisecond}},
}

// TestDrawnSchedulesAreAcceptedAsOftenAsTheyShould over 1,000 seeds: at 5 % the
// test rejects a schedule that follows its law once in 20. Rejections are then
// binomial, of mean 1000 × 0.05 = 50 and deviation √(1000 × 0.05 × 0.95) = 6.9.
// Four deviations about the mean, 22 to 78, hold all but one in 15,000 such
// counts; a test whose level were really 2 % or 9 %, of mean 20 or 90, would be
// outside more often than not. The seeds are fixed, and so the outcome.
func TestDrawnSchedulesAreAcceptedAsOftenAsTheyShould(t *testing.T) {
	const seeds, level = 1000, 0.05
	mean, deviation := seeds*level, math.Sqrt(seeds*level*(1-level))
	for _, p := range lawful {
		rejected := 0.0
		for seed := range uint64(seeds) {
			ks, tested := evidence.ScheduleKS(drawn(t, seed, p.pacer, 2*time.Second, nil), p.pacer)
			if !tested {
				t.Fatalf("%s: seed %d was not tested", p.name, seed)
			}
			if ks.P < level {
				rejected++
			}
		}
		t.Logf("%s: %v of %d rejected at %v", p.name, rejected, seeds, level)
		if math.Abs(rejected-mean) > 4*deviation {
			t.Errorf("%s: %v of %d schedules are rejected at %v, want %.0f ± %.0f", p.name, rejected, seeds, level, mean, 4*deviation)
		}
	}
}

// TestASchedulesOwnLawOnly: a schedule of one pacer is rejected by the law of any
// other, also where the rates are the same on the whole.
func TestASchedulesOwnLawOnly(t *testing.T) {
	for _, p := range lawful {
		s := drawn(t, 1, p.pacer, 20*time.Second, nil)
		for _, other := range lawful {
			ks, tested := evidence.ScheduleKS(s, other.pacer)
			if rejected := ks.P < evidence.SharedCores.ScheduleKSPMin; !tested || rejected != (p.name != other.name) {
				t.Errorf("a schedule of %s against the law of %s: %+v", p.name, other.name, ks)
			}
		}
	}
}

// TestWhatHasNoLawIsNotTested and neither are a few arrivals.
func TestWhatHasNoLawIsNotTested(t *testing.T) {
	for name, c := range map[string]struct {
		pacer loadgen.Pacer
		lasts time.Duration
	}{
		"constant":     {pacer.Constant{PerS: 100}, time.Second},
		"few arrivals": {pacer.Poisson{PerS: 100}, 30 * time.Millisecond},
	} {
		s := drawn(t, 1, c.pacer, c.lasts, nil)
		if ks, tested := evidence.ScheduleKS(s, c.pacer); tested || ks.P != 1 {
			t.Errorf("%s: %+v of %d arrivals", name, ks, len(s.Arrivals))
		}
	}
}

// crowd is a population in which every tenth arrival leads to ten more at once.
type crowd struct{ n int }

func (*crowd) Check() error                                           { return nil }
func (*crowd) AppendIdentity(buf []byte) []byte                       { return buf }
func (*crowd) Drawer(func(purpose string) draw.Stream) loadgen.Drawer { return &crowd{} }
func (*crowd) Draw(*loadgen.Arrival)                                  {}
func (c *crowd) After(a *loadgen.Arrival) (more []loadgen.Arrival) {
	if c.n++; c.n%10 == 0 {
		for i := range time.Duration(10) {
			more = append(more, loadgen.Arrival{At: a.At + (i+1)*time.Millisecond})
		}
	}
	return more
}

// TestArrivalsThatOthersLeadToAreNotThePacers: they would spoil the law.
func TestArrivalsThatOthersLeadToAreNotThePacers(t *testing.T) {
	p := pacer.Poisson{PerS: 200}
	s := drawn(t, 1, p, 5*time.Second, &crowd{})
	ks, _ := evidence.ScheduleKS(s, p)
	if alone, _ := evidence.ScheduleKS(drawn(t, 1, p, 5*time.Second, nil), p); ks != alone {
		t.Errorf("with followers %+v, without %+v", ks, alone)
	}
	if all := evidence.ExponentialGaps(evidence.Intended(s), p.PerS); all.P > 1e-6 {
		t.Errorf("this crowd proves nothing: %+v", all)
	}
}
