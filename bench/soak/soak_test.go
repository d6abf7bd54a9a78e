package soak

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"breakbank/bench/golden"
)

const (
	soakS  = 600.0
	everyS = 5.0
	count  = int(soakS / everyS)
)

// process plants what memory does: it climbs for a minute and is collected, with
// noise that lingers, and grows by leak over the soak. Goroutines and files
// waver.
func process(seed uint64, memory, leak float64) Track {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := Track{Process: Process{Name: "a1", Role: "node"}}
	phase, lingering := rng.Float64(), 0.0
	for i := range count {
		atS := float64(i) * everyS
		_, climbed := math.Modf(atS/60 + phase)
		lingering = 0.8*lingering + rng.NormFloat64()*0.005*memory
		t.Readings = append(t.Readings, Reading{AtS: atS, StartedS: 7, Values: []float64{
			memory*(1+0.1*climbed) + lingering + leak*atS/soakS,
			math.Round(120 + 4*rng.NormFloat64()),
			math.Round(40 + 2*rng.NormFloat64()),
		}})
	}
	return t
}

func memoryBound(memory float64) float64 { return Table[0].bound(1.05 * memory) }

// TestNoiseIsFlat: what only wavers is never taken for a leak.
func TestNoiseIsFlat(t *testing.T) {
	for seed := range uint64(100) {
		for _, memory := range []float64{30 * mib, 300 * mib} {
			if r := judge(process(seed, memory, 0), soakS, count); r.Verdict != Flat {
				t.Errorf("seed %d, %.0f MiB: %s: %s", seed, memory/mib, r.Verdict, r.Why)
			}
		}
	}
}

// TestALeakIsCaught: growth of twice what is allowed is never flat, and of three
// times is said to grow.
func TestALeakIsCaught(t *testing.T) {
	for seed := range uint64(100) {
		for _, memory := range []float64{30 * mib, 300 * mib} {
			allowed := memoryBound(memory)
			if r := judge(process(seed, memory, 2*allowed), soakS, count); r.Verdict == Flat {
				t.Errorf("seed %d, %.0f MiB: twice the bound is flat", seed, memory/mib)
			}
			r := judge(process(seed, memory, 3*allowed), soakS, count)
			if r.Verdict != Grows || !strings.Contains(r.Why, "memory grows") {
				t.Errorf("seed %d, %.0f MiB: three times the bound: %s: %s", seed, memory/mib, r.Verdict, r.Why)
			}
		}
	}
}

// TestOtherLeaks: goroutines and files, one more every few seconds, and memory
// in steps.
func TestOtherLeaks(t *testing.T) {
	for name, plant := range map[string]func(atS float64, values []float64){
		"goroutines": func(atS float64, values []float64) { values[1] += math.Floor(atS / 10) },
		"files":      func(atS float64, values []float64) { values[2] += math.Floor(atS / 20) },
		"memory":     func(atS float64, values []float64) { values[0] += 16 * mib * math.Floor(atS/150) },
	} {
		track := process(1, 60*mib, 0)
		for _, r := range track.Readings {
			plant(r.AtS, r.Values)
		}
		if r := judge(track, soakS, count); r.Verdict != Grows || !strings.Contains(r.Why, name+" grows") {
			t.Errorf("%s: %s: %s", name, r.Verdict, r.Why)
		}
	}
}

func TestWhatShrinksIsFlat(t *testing.T) {
	if r := judge(process(1, 60*mib, -20*mib), soakS, count); r.Verdict != Flat {
		t.Errorf("%s: %s", r.Verdict, r.Why)
	}
}

// TestTheIntervalHoldsTheTruth about as often as it says, though neighbours are
// alike: a bootstrap of so few blocks is known to promise a little much.
func TestTheIntervalHoldsTheTruth(t *testing.T) {
	const runs, truth = 200, 25.0
	held := 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var points []Point
		lingering := 0.0
		for i := range count {
			lingering = 0.5*lingering + rng.NormFloat64()
			at := float64(i) * everyS
			points = append(points, Point{at, 100 + truth*at/soakS + lingering})
		}
		if g := fit(points, soakS); g.Low <= truth && truth <= g.High {
			held++
		}
	}
	if share := float64(held) / runs; share < 0.85 {
		t.Errorf("the interval held the truth in %.0f %% of runs", 100*share)
	}
}

// TestTheSlope is that of a library.
func TestTheSlope(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	for range 100 {
		x, y := make([]float64, 50), make([]float64, 50)
		for i := range x {
			x[i], y[i] = float64(i)+rng.Float64(), 1e6*rng.NormFloat64()
		}
		if _, want := stat.LinearRegression(x, y, nil, false); math.Abs(slopeOf(x, y)-want) > 1e-6*math.Abs(want) {
			t.Errorf("slope %v, want %v", slopeOf(x, y), want)
		}
	}
}

func TestAStraightLine(t *testing.T) {
	var points []Point
	for i := range count {
		at := float64(i) * everyS
		points = append(points, Point{at, 10 + at})
	}
	g := fit(points, soakS)
	for _, got := range []float64{g.Value, g.Low, g.High} {
		if math.Abs(got-soakS) > 1e-6 {
			t.Errorf("a line that rises by %v: %+v", soakS, g)
		}
	}
	if again := fit(points, soakS); again != g {
		t.Errorf("the same points give %+v and %+v", g, again)
	}
}

func TestWhatCannotBeJudged(t *testing.T) {
	whole := func() Track { return process(1, 60*mib, 0) }
	for name, c := range map[string]struct {
		change func(*Track)
		want   Verdict
		says   string
	}{
		"nothing wrong":       {func(*Track) {}, Flat, ""},
		"a few readings lost": {func(t *Track) { t.Readings = slices.Delete(t.Readings, 10, 20) }, Flat, ""},
		"many readings lost": {func(t *Track) {
			t.Readings, t.LastError = t.Readings[:60], "connection refused"
		}, Unread, "60 of 120 readings; the last that failed: connection refused"},
		"never read": {func(t *Track) { t.Readings = nil }, Unread, "0 of 120 readings"},
		"restarted": {func(t *Track) {
			for i := 100; i < count; i++ {
				t.Readings[i].StartedS = 500
			}
		}, Restarted, "since second 500"},
		"tells no goroutines": {func(t *Track) {
			for _, r := range t.Readings {
				r.Values[1] = math.NaN()
			}
		}, Flat, ""},
		"tells nothing": {func(t *Track) {
			for _, r := range t.Readings {
				r.Values[0], r.Values[1], r.Values[2] = math.NaN(), math.NaN(), math.NaN()
			}
		}, Unread, "nothing of itself"},
		"unclear": {func(t *Track) {
			// Half of the time twice the size, at random: as well a leak as none.
			rng := rand.New(rand.NewPCG(1, 3))
			for i := 0; i < count; i += 20 {
				high := rng.IntN(2) == 0
				for k := i; k < i+20 && high; k++ {
					t.Readings[k].Values[0] *= 2
				}
			}
		}, Unclear, "memory unclear"},
	} {
		track := whole()
		c.change(&track)
		if r := judge(track, soakS, count); r.Verdict != c.want || !strings.Contains(r.Why, c.says) {
			t.Errorf("%s: %s: %q, want %s, %q", name, r.Verdict, r.Why, c.want, c.says)
		}
	}
}

func TestWhoCameAndWent(t *testing.T) {
	before := []Process{{Name: "a1", PID: 1}, {Name: "ledger-1", PID: 2}, {Name: "ledger-2", PID: 3}}
	after := []Process{{Name: "a1", PID: 1}, {Name: "ledger-1", PID: 9}, {Name: "ledger-3", PID: 4}}
	results := changed([]ProcessResult{
		{Name: "a1", Verdict: Flat}, {Name: "ledger-1", Verdict: Flat}, {Name: "ledger-2", Verdict: Unread},
	}, before, after)
	var got []string
	for _, r := range results {
		got = append(got, r.Name+" "+string(r.Verdict)+" "+r.Why)
	}
	want := []string{
		"a1 flat ", "ledger-1 restarted another process has its place", "ledger-2 restarted it is gone",
		"ledger-3 restarted it was not there when the soak began",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestText(t *testing.T) {
	leaking := process(2, 60*mib, 40*mib)
	leaking.Process = Process{Name: "book", Role: "book"}
	gone := Track{Process: Process{Name: "nats", Role: "nats"}, LastError: "connection refused"}
	r := &Result{
		DurationS: soakS, WarmUpS: 60, Processes: Judge([]Track{process(1, 60*mib, 0), leaking, gone}, soakS, count),
		Load: Load{RatePerS: 250, Sent: 151250, SentShare: 1, GoodShare: 0.9991, Notes: []string{"send delay p99 7.1 ms, more than 5 ms"}},
	}
	golden.Check(t, filepath.Join("testdata", "leak.golden"), Text(r))
	r.Processes, r.Flat = r.Processes[:1], true
	r.Load.Notes, r.Load.GoodShare = nil, 0.95
	golden.Check(t, filepath.Join("testdata", "flat.golden"), Text(r))
}
