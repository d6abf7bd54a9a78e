package loadgen

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/bench/golden"
	"breakbank/bench/machine"
	"breakbank/bench/peers/comparison"
	"breakbank/bench/result"
)

// fixture is what a run has found, before it is concluded from.
type fixture struct {
	options Options
	samples []sample
	missing []Missing
	spoiled []string
}

const window = 500 * time.Millisecond

// made is a sample with so many µs a request.
func made(block int, of Case, generator string, cpuUs, perS float64) sample {
	calls := int64(perS * window.Seconds())
	used := time.Duration(cpuUs * float64(calls) * float64(time.Microsecond))
	server, own := 100*time.Millisecond, 5*time.Millisecond
	return sample{
		cell: cell{of.Name, generator}, block: block, window: window, calls: calls,
		generator: used, server: server, own: own,
		machine: machine.Time{Busy: used + server + own, All: time.Second},
	}
}

// sixBlocks are of every case, in which breakbank costs 5 µs, ghz 40 and h2load
// 3, with noise of ± 2 %; breakbank reports the truth, and ghz does not.
func sixBlocks(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{options: Options{Plan: comparison.Plan{Blocks: 6, Window: window, Seed: 1}, Generators: Generators, Cases: Cases}}
	rng := rand.New(rand.NewPCG(1, 1))
	for block := range f.options.Blocks {
		for _, of := range Cases {
			for _, g := range []struct {
				name        string
				cpuUs, perS float64
				off         float64
			}{{breakbank, 5, 180_000, 1.002}, {closed, 4, 200_000, 1}, {ghz, 40, 20_000, 0.1}, {h2load, 3, 300_000, 0.5}} {
				if i := slices.IndexFunc(Generators, func(a Generator) bool { return a.Name == g.name }); !Generators[i].suits(of) {
					continue
				}
				noise := 0.98 + 0.04*rng.Float64()
				if of.Kind == Truth {
					f.samples = append(f.samples, reported(t, block, of, g.name, g.off))
					continue
				}
				perS := g.perS
				if of.RatePerS > 0 {
					perS = of.RatePerS
				}
				s := made(block, of, g.name, g.cpuUs*noise, perS)
				if g.name == breakbank {
					s.told = &Told{
						Calls: 5000, ScheduleSHA256: "a", OfferedShare: 1, StrayD: 0.001,
						SendDelayMs: Latency{"p50": 0.1 * noise, "p99": 0.8 * noise},
					}
				}
				f.samples = append(f.samples, s)
			}
		}
	}
	return f
}

// reported is a sample of a generator that reports so many times the truth.
func reported(t *testing.T, block int, of Case, generator string, times float64) sample {
	t.Helper()
	told := &Told{Calls: int64(of.RatePerS * of.LastsS), LatencyMs: Latency{}}
	truth, err := truthFor(of, job{ratePerS: of.RatePerS, lasts: of.lasts()}, told, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	for name, ms := range truth.latency {
		told.LatencyMs[name] = ms * times
	}
	if of.Fails {
		told.Failed = int64(float64(told.Calls) * truth.failures * times)
	}
	return sample{cell: cell{of.Name, generator}, block: block, told: told, truth: truth, machine: machine.Time{All: time.Second}}
}

func (f *fixture) conclude(stopped error) *Result {
	r := &runner{table: newTable(), missing: f.missing, spoiled: f.spoiled}
	for _, s := range f.samples {
		r.table.add(s)
	}
	return conclude(f.options, r, comparison.Environment{
		Environment: result.Environment{Cores: 2, Machine: "a machine", Kernel: "Linux 6", Go: "go1.26"},
		Versions:    map[string]string{ghz: "0.121.0"},
	}, stopped)
}

func TestTheTable(t *testing.T) {
	f := sixBlocks(t)
	f.samples = slices.DeleteFunc(f.samples, func(s sample) bool { return s.cell == cell{Cases[1].Name, h2load} })
	f.missing = []Missing{{Generator: h2load, Why: "not installed", Install: "apt-get install nghttp2-client"}}
	golden.Check(t, "testdata/table.golden", Text(f.conclude(nil)))
}

func TestAGoodRunIsValidAndItsFiguresAreThoseMeasured(t *testing.T) {
	res := sixBlocks(t).conclude(nil)
	if !res.Valid || res.Illustrative || res.Partial {
		t.Errorf("%v, %v", res.InvalidReasons, res.IllustrativeReasons)
	}
	i := slices.IndexFunc(res.Costs, func(c Cost) bool { return c.Case == Cases[0].Name && c.Generator == breakbank })
	c := res.Costs[i]
	if c.Blocks != 6 || c.Requests != 6*90_000 || c.RatePerS.Value != 180_000 {
		t.Errorf("%+v", c)
	}
	for _, near := range []struct{ got, want float64 }{
		{c.CPUUs.Value, 5}, {c.ToGhz.Value, 5.0 / 40}, {c.ToH2load.Value, 5.0 / 3}, {c.SendDelayP50Ms.Value, 0.1},
	} {
		if near.got < near.want*0.98 || near.got > near.want*1.02 {
			t.Errorf("%v, want %v ± 2 %%", near.got, near.want)
		}
	}
	for _, b := range res.Bars {
		if b.Verdict != comparison.Met {
			t.Errorf("%s, %s: %s", b.Case, b.Says, b.Verdict)
		}
	}
	if want := 2*4 + 3 + 3; len(res.Bars) != want {
		t.Errorf("%d bars, want %d", len(res.Bars), want)
	}
}

// TestEachBarCanBeMissed: each has a run that misses it and nothing else of the
// same case.
func TestEachBarCanBeMissed(t *testing.T) {
	slow := func(name string, times float64) func(*sample) {
		return func(s *sample) {
			if s.cell.generator == name {
				s.generator = time.Duration(float64(s.generator) * times)
			}
		}
	}
	tell := func(change func(*Told)) func(*sample) {
		return func(s *sample) {
			if s.cell.generator == breakbank && s.told != nil {
				change(s.told)
			}
		}
	}
	for _, c := range []struct {
		says   string
		of     Case
		change func(*sample)
	}{
		{bars[0].says, Cases[0], slow(ghz, 0.7)},
		{bars[1].says, Cases[0], slow(breakbank, 1.3)},
		{bars[2].says, Cases[0], slow(closed, 1.8)},
		{bars[3].says, Cases[0], slow(closed, 1.6)},
		{bars[4].says, Cases[2], tell(func(t *Told) { t.OfferedShare = 0.99 })},
		{bars[5].says, Cases[2], tell(func(t *Told) { t.SendDelayMs["p50"] = 0.3 })},
		{bars[6].says, Cases[2], tell(func(t *Told) { t.StrayD = 0.06 })},
		{bars[7].says, Cases[3], tell(func(t *Told) { t.LatencyMs["p99"] *= 1.02 })},
		{bars[7].says, Cases[4], tell(func(t *Told) { delete(t.LatencyMs, "p50"); t.LatencyMs["p99"] *= 2 })},
		{bars[7].says, Cases[5], tell(func(t *Told) { t.Failed++ })},
	} {
		f := sixBlocks(t)
		for i := range f.samples {
			if f.samples[i].cell.of == c.of.Name {
				c.change(&f.samples[i])
			}
		}
		found := false
		for _, b := range f.conclude(nil).Bars {
			if b.Case == c.of.Name && b.Says == c.says {
				found = true
				if b.Verdict == comparison.Met {
					t.Errorf("%s: %s is met with %+v", b.Case, b.Says, b.Measured)
				}
			}
		}
		if !found {
			t.Errorf("no bar %q of %s", c.says, c.of.Name)
		}
	}
}

func TestABarWithoutItsPeerSaysWhy(t *testing.T) {
	f := sixBlocks(t)
	f.samples = slices.DeleteFunc(f.samples, func(s sample) bool { return s.cell.generator == ghz })
	f.missing = []Missing{{Generator: ghz, Why: "not installed", Install: "go install it"}}
	res := f.conclude(nil)
	if !res.Valid {
		t.Errorf("what is not installed makes it invalid: %v", res.InvalidReasons)
	}
	without := 0
	for _, b := range res.Bars {
		if strings.Contains(b.Says, "ghz") {
			without++
			if b.Verdict != comparison.NotMeasured || !strings.Contains(b.Why, "go install it") {
				t.Errorf("%+v", b)
			}
		}
	}
	if without != 4 {
		t.Errorf("%d bars against ghz", without)
	}
}

func TestWhatMakesARunInvalid(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*fixture)
		stopped error
		says    string
	}{
		"starved":       {func(f *fixture) { f.samples[0].machine.Stolen = 100 * f.samples[0].machine.All }, nil, "starved"},
		"not alone":     {func(f *fixture) { f.samples[0].machine.Busy += 100 * time.Second }, nil, "not left alone"},
		"stopped":       {func(*fixture) {}, errors.New("interrupted"), "interrupted"},
		"spoiled":       {func(f *fixture) { f.spoiled = []string{"measure ghz: gone"} }, nil, "measure ghz: gone"},
		"nothing":       {func(f *fixture) { f.samples = nil }, nil, "nothing was measured"},
		"did not start": {func(f *fixture) { f.missing = []Missing{{Generator: ghz, Why: "it ended"}} }, nil, "it ended"},
		"requests fail": {func(f *fixture) {
			for i := range f.samples {
				if s := &f.samples[i]; s.told != nil && s.truth == nil {
					s.told.Failed, s.told.MostFailed = 1, "UNAVAILABLE"
				}
			}
		}, nil, "UNAVAILABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			f := sixBlocks(t)
			c.change(f)
			res := f.conclude(c.stopped)
			if res.Valid || !strings.Contains(strings.Join(res.InvalidReasons, "\n"), c.says) {
				t.Errorf("valid %v: %v", res.Valid, res.InvalidReasons)
			}
			if text := Text(res); !strings.Contains(text, "INVALID") || !strings.Contains(text, c.says) {
				t.Errorf("%s", text)
			}
		})
	}
}

func TestFewBlocksDecideNothing(t *testing.T) {
	f := sixBlocks(t)
	f.options.Blocks, f.options.Quick = 3, true
	if res := f.conclude(nil); len(res.IllustrativeReasons) != 2 || !res.Illustrative {
		t.Errorf("%v", res.IllustrativeReasons)
	}
}

// TestAReportWithoutWhatIsDecidedIsNotClose: who says nothing is not right.
func TestAReportWithoutWhatIsDecidedIsNotClose(t *testing.T) {
	s := reported(t, 0, Cases[3], ghz, 1)
	if e, ok := s.truth.off(s.told); !ok || e != 0 {
		t.Errorf("the truth itself is off by %v, %v", e, ok)
	}
	delete(s.told.LatencyMs, "p99")
	if _, ok := s.truth.off(s.told); ok {
		t.Error("without p99 it is judged all the same")
	}
	s.truth.decided = nil
	if _, ok := s.truth.off(s.told); ok {
		t.Error("with nothing decided it is judged all the same")
	}
}

// TestTheTruthOfTheCases: what the tables' first lines say, worked out by hand.
// Of 10 s evenly spaced from 0 on, one in ten waits from 1000 ms down to 0. Of 4 s
// it is one in four; then the stall of 3 s is just over.
func TestTheTruthOfTheCases(t *testing.T) {
	for of, want := range map[Case]map[string]float64{
		Cases[3]:        {"p50": 0, "p95": 500, "p99": 900, "p999": 990, "max": 1000},
		QuickCases()[2]: {"p50": 0, "p90": 600, "p95": 800, "p99": 960, "p999": 996, "max": 1000},
	} {
		stall := reported(t, 0, of, breakbank, 1).truth
		for name, ms := range want {
			if got := stall.latency[name]; got < ms-1 || got > ms+1 {
				t.Errorf("%s, %s: %v, want %v", of.Name, name, got, ms)
			}
			decided := slices.Contains(stall.decided, name)
			if decides := ms > 0 && name != "max"; decided != decides {
				t.Errorf("%s decides %s: %v", of.Name, name, decided)
			}
		}
	}
	two := reported(t, 0, Cases[4], breakbank, 1).truth
	if got := strings.Join(two.decided, " "); got != "p50 p95 p99" || two.latency["p50"] != 200 || two.latency["p99"] != 800 {
		t.Errorf("bimodal decides %s: %v", got, two.latency)
	}
	if fails := reported(t, 0, Cases[5], breakbank, 1).truth; fails.failures != 0.01 || fails.scheduled != 2000 {
		t.Errorf("%+v", fails)
	}
}
