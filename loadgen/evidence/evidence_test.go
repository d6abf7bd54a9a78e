package evidence_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = int64(time.Millisecond)

// poisson draws arrivals of a Poisson process, in nanoseconds.
func poisson(seed uint64, perS float64, n int) []int64 {
	r, at := rand.New(rand.NewPCG(seed, 0)), 0.0
	times := make([]int64, n)
	for i := range times {
		at += r.ExpFloat64() / perS * 1e9
		times[i] = int64(at)
	}
	return times
}

// sentAfter adds a delay to each time.
func sentAfter(times []int64, delay func(i int, at int64) int64) []int64 {
	sent := make([]int64, len(times))
	for i, at := range times {
		sent[i] = at + delay(i, at)
	}
	return sent
}

func TestExponentialGaps(t *testing.T) {
	times := poisson(1, 500, 5000)
	if ks := evidence.ExponentialGaps(times, 500); ks.P < 0.001 || ks.Samples != 4999 {
		t.Errorf("a Poisson process: %+v", ks)
	}
	if ks := evidence.ExponentialGaps(times, 600); ks.P > 1e-6 {
		t.Errorf("another rate than asked for: %+v", ks)
	}
	even := sentAfter(make([]int64, 1000), func(i int, _ int64) int64 { return int64(i) * 2 * ms })
	// Every gap is the mean, where the law's distribution function is 1 - 1/e.
	if ks := evidence.ExponentialGaps(even, 500); math.Abs(ks.D-(1-1/math.E)) > 1e-9 || ks.P > 1e-9 {
		t.Errorf("a metronome: %+v", ks)
	}
	if ks := evidence.ExponentialGaps(nil, 500); ks.P != 1 {
		t.Errorf("no arrivals: %+v", ks)
	}
}

// TestPValuesAreUniform: over fair samples, a share p of the P values lies
// below p. 400 samples keep within 0.08 of that but for one time in 200.
func TestPValuesAreUniform(t *testing.T) {
	const samples = 400
	below := [10]int{}
	for seed := range uint64(samples) {
		p := evidence.ExponentialGaps(poisson(seed, 100, 201), 100).P
		for i := range below {
			if p < float64(i+1)/10 {
				below[i]++
			}
		}
	}
	for i, n := range below {
		if share, want := float64(n)/samples, float64(i+1)/10; math.Abs(share-want) > 0.08 {
			t.Errorf("a share of %.3f of the P values is below %.1f", share, want)
		}
	}
}

func TestStray(t *testing.T) {
	for _, perS := range []float64{50, 500, 5000} {
		times := poisson(3, perS, 50_000)
		r := rand.New(rand.NewPCG(4, 0))
		last := times[len(times)-1]
		for _, c := range []struct {
			name        string
			delay       func(i int, at int64) int64
			atLeast, at float64 // bounds of D
			kept        bool    // whether the gaps are kept too
		}{
			{"on time", func(int, int64) int64 { return 0 }, 0, 0, true},
			{"a millisecond of jitter", func(int, int64) int64 { return r.Int64N(ms) }, 0, 0.01, true},
			{"woken each millisecond", func(_ int, at int64) int64 { return ms - at%ms }, 0, 0.01, true},
			{"a tenth of the run stood still", func(_ int, at int64) int64 {
				if from := last / 2; at > from && at < from+last/10 {
					return from + last/10 - at
				}
				return 0
			}, 0.09, 0.11, false},
			{"batches of a second", func(_ int, at int64) int64 { return 1000*ms - at%(1000*ms) }, 0, 1, false},
		} {
			s := evidence.StrayOf(times, sentAfter(times, c.delay))
			if s.D < c.atLeast || s.D > c.at || s.Samples != len(times) || (s.GapD <= 0.05) != c.kept {
				t.Errorf("%v/s, %s: %+v", perS, c.name, s)
			}
		}
	}
	if s := evidence.StrayOf([]int64{1}, []int64{1}); s.D != 0 || s.GapD != 0 {
		t.Errorf("one request: %+v", s)
	}
}

func TestTimesLeaveOutWhatWasNotSent(t *testing.T) {
	intended, sent := evidence.Times([]loadgen.Record{
		{Load: "main", Seq: 2, IntendedNs: 30, SentNs: 31},
		{Load: "main", Seq: 1, IntendedNs: 20, SentNs: loadgen.NotSent},
		{Load: "warmup", Seq: 0, IntendedNs: 5, SentNs: 6},
		{Load: "main", Seq: 0, IntendedNs: 10, SentNs: 12},
	}, "main")
	if len(intended) != 2 || intended[0] != 10 || intended[1] != 30 || sent[0] != 12 || sent[1] != 31 {
		t.Errorf("%v, %v", intended, sent)
	}
}

func TestStationary(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	series := func(n int, f func(i int) float64) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = f(i)
		}
		return v
	}
	for _, c := range []struct {
		name       string
		windows    []float64
		tolerance  evidence.Tolerance
		stationary bool
	}{
		{"noise", series(15, func(int) float64 { return 5 + r.Float64() }), evidence.LatencyTolerance, true},
		{"constant", series(15, func(int) float64 { return 1 }), evidence.ShareTolerance, true},
		{"a slow but clear rise", series(15, func(i int) float64 { return 5 + 0.01*float64(i) }), evidence.LatencyTolerance, true},
		{"a rise that matters", series(15, func(i int) float64 { return 5 + 0.5*float64(i) }), evidence.LatencyTolerance, false},
		{"warming up", series(15, func(i int) float64 { return 20 - float64(i) }), evidence.LatencyTolerance, false},
		{"one bad window", series(15, func(i int) float64 { return float64(5 + 100*(i/14)) }), evidence.LatencyTolerance, true},
		{"losing more and more", series(15, func(i int) float64 { return 1 - 0.002*float64(i) }), evidence.ShareTolerance, false},
	} {
		got, err := evidence.Stationary(c.windows, c.tolerance)
		if err != nil || got.Stationary != c.stationary {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	got, err := evidence.Stationary([]float64{1, 2, 3, 4, 5, 6}, evidence.ShareTolerance)
	if err != nil || math.Abs(got.P-0.0085) > 0.0001 {
		t.Errorf("six in a row: %+v, %v", got, err)
	}
	if _, err := evidence.Stationary([]float64{1, 2, 3, 4, 5}, evidence.ShareTolerance); err == nil {
		t.Error("five windows were judged")
	}
}

func TestWindows(t *testing.T) {
	at := func(intendedMs, doneMs int64, o loadgen.Outcome) loadgen.Record {
		return loadgen.Record{IntendedNs: intendedMs * ms, SentNs: intendedMs * ms, DoneNs: doneMs * ms, Decision: loadgen.Decision{Outcome: o}}
	}
	medians, shares := evidence.Windows([]loadgen.Record{
		at(50, 51, loadgen.Failed), // before
		at(100, 110, loadgen.OK), at(150, 170, loadgen.Declined), at(190, 220, loadgen.Failed), at(199, 239, loadgen.Degraded),
		at(350, 353, loadgen.OK),
		at(401, 500, loadgen.Failed), // in the last, cut short
	}, 100*ms, 450*ms, 100*ms)
	if len(medians) != 2 || medians[0] != 25 || medians[1] != 3 || shares[0] != 0.5 || shares[1] != 1 {
		t.Errorf("%v, %v", medians, shares)
	}
}

func TestWatchSelf(t *testing.T) {
	w, err := evidence.WatchSelf()
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
		runtime.GC()
	}
	self, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if self.CPUS <= 0 || self.WallS < 0.05 || self.CPUShare <= 0 || self.CPUShare > 1.2 || self.PeakCPUShare < self.CPUShare ||
		self.GCPauses == 0 || self.GCPauseMaxMs <= 0 || self.HeapMaxBytes == 0 {
		t.Errorf("%+v", self)
	}
}
