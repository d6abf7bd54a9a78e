package peers

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/bench/golden"
	"breakbank/bench/machine"
	"breakbank/bench/peers/comparison"
	"breakbank/bench/peers/router/driver"
	"breakbank/bench/result"
	"breakbank/bench/stats"
)

func newTestRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// made is a sample of a cell with figures that are easy to follow: so many µs a
// request, latencies around a median.
func made(block int, of Case, peer string, cpuUs, medianMs float64) sample {
	const requests = 1000
	m := driver.Measured{
		Done: requests, Due: requests, Errors: map[string]int64{},
		Response: driver.NewHistogram(), Service: driver.NewHistogram(), SendDelay: driver.NewHistogram(),
	}
	for i := range requests {
		// From half the median to one and a half of it.
		ms := medianMs * (0.5 + float64(i)/requests)
		_ = m.Response.RecordValue(int64(ms * float64(time.Millisecond)))
	}
	return sample{
		cell: cell{of: of, peer: peer}, block: block, window: 500 * time.Millisecond, driver: m,
		peer: time.Duration(cpuUs * requests * float64(time.Microsecond)), echo: 20 * time.Millisecond, own: 5 * time.Millisecond,
		machine: machine.Time{Busy: time.Duration((cpuUs*requests + 25_000) * float64(time.Microsecond)), All: time.Second},
	}
}

// fixture is what a run has found, before it is concluded from.
type fixture struct {
	options Options
	samples []sample
	missing []Missing
	spoiled []string
}

// sixBlocks are of a saturated and a paced case, in which frames costs 0.6 (with
// noise of ± 2 %) and adds as much latency as HAProxy.
func sixBlocks() *fixture {
	cases := []Case{Cases[0], Cases[2]}
	f := &fixture{options: Options{Plan: comparison.Plan{Blocks: 6, Window: 500 * time.Millisecond, Seed: 1}, Peers: Peers, Cases: cases}}
	rng := newTestRand(1)
	for block := range f.options.Blocks {
		for _, of := range cases {
			for _, p := range []struct {
				name            string
				cpuUs, medianMs float64
			}{{direct, 0, 1}, {relay, 5, 1.2}, {frames, 6, 1.5}, {haproxy, 10, 1.5}, {rawCodec, 40, 4}} {
				noise := 0.98 + 0.04*rng.Float64()
				f.samples = append(f.samples, made(block, of, p.name, p.cpuUs*noise, p.medianMs))
			}
		}
	}
	return f
}

func (f *fixture) conclude(e comparison.Environment, stopped error) *Result {
	r := &runner{table: newTable(), missing: f.missing, spoiled: f.spoiled}
	for _, s := range f.samples {
		r.table.add(s)
	}
	return conclude(f.options, r, e, stopped)
}

func TestTheTable(t *testing.T) {
	f := sixBlocks()
	f.missing = []Missing{{Peer: "nginx", Why: "not installed", Install: "apt-get install nginx"}}
	e := comparison.Environment{
		Environment: result.Environment{Cores: 2, Machine: "a machine", Kernel: "Linux 6", Go: "go1.26"},
		Versions:    map[string]string{haproxy: "2.6.12"},
	}
	golden.Check(t, "testdata/table.golden", Text(f.conclude(e, nil)))
}

func TestWhatACellSays(t *testing.T) {
	f := sixBlocks()
	res := f.conclude(comparison.Environment{}, nil)
	if !res.Valid || res.Illustrative || res.Partial || res.Kind != "peers" || res.Schema != result.Schema {
		t.Errorf("%+v", res)
	}
	at := func(peer string) Cell {
		return res.Cells[slices.IndexFunc(res.Cells, func(c Cell) bool { return c.Peer == peer && c.Case == Cases[0].Name })]
	}
	ours := at(frames)
	if ours.Blocks != 6 || ours.Requests != 6000 || ours.RatePerS.Value != 2000 || !ours.KeptUp {
		t.Errorf("%+v", ours)
	}
	for what, c := range map[string]struct {
		got         *stats.Estimate
		least, most float64
	}{
		"cpu":        {ours.CPUUs, 5.88, 6.12},
		"to haproxy": {ours.ToHAProxy, 0.57, 0.63},
		"to relay":   {ours.ToRelay, 1.15, 1.25},
		"p50":        {ours.AddedP50Ms, 0.49, 0.51},
	} {
		if c.got == nil || c.got.Low < c.least || c.got.High > c.most || c.got.Low > c.got.Value || c.got.High < c.got.Value {
			t.Errorf("%s: %+v, want within %v to %v", what, c.got, c.least, c.most)
		}
	}
	if c := at(direct); c.CPUUs != nil || c.AddedP50Ms != nil || c.ToHAProxy != nil {
		t.Errorf("direct has a proxy's figures: %+v", c)
	}
	if c := at(haproxy); c.ToHAProxy != nil {
		t.Errorf("haproxy is compared with itself: %+v", c)
	}
}

func TestBars(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *sample)
		want  map[string]string // unit and load: verdict
	}{
		"as made": {func(*sample) {}, map[string]string{
			"saturation x haproxy": "met met", "saturation x raw-codec": "met",
			"paced x haproxy": "met met", "paced " + msBeyond: "met",
		}},
		"twice as dear": {func(s *sample) {
			if s.cell.peer == frames {
				s.peer *= 2
			}
		}, map[string]string{
			"saturation x haproxy": "missed missed", "saturation x raw-codec": "missed",
			"paced x haproxy": "met missed", "paced " + msBeyond: "met",
		}},
		"around the limit": {func(s *sample) {
			if s.cell.peer == frames {
				s.peer = time.Duration(float64(s.peer) * (1.5 + 0.1*float64(s.block))) // 0.9 to 1.2 x haproxy
			}
		}, map[string]string{
			"saturation x haproxy": "undecided missed", "saturation x raw-codec": "undecided",
			"paced x haproxy": "met undecided", "paced " + msBeyond: "met",
		}},
		"slower": {func(s *sample) {
			if s.cell.peer == frames {
				s.driver.Response = made(0, s.cell.of, frames, 1, 1.7).driver.Response
			}
		}, map[string]string{
			"saturation x haproxy": "met met", "saturation x raw-codec": "met",
			"paced x haproxy": "met met", "paced " + msBeyond: "missed",
		}},
		"haproxy did not keep up": {func(s *sample) {
			if s.cell.peer == haproxy {
				s.driver.Due *= 2
			}
		}, map[string]string{
			"saturation x haproxy": "met met", "saturation x raw-codec": "met",
			"paced x haproxy": "met met", "paced " + msBeyond: comparison.NotMeasured,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := sixBlocks()
			for i := range f.samples {
				c.spoil(&f.samples[i])
			}
			res := f.conclude(comparison.Environment{}, nil)
			if len(res.Bars) != len(c.want) {
				t.Errorf("%d bars, want %d", len(res.Bars), len(c.want))
			}
			for _, b := range res.Bars {
				load := "paced"
				if strings.HasPrefix(b.Case, "saturation") {
					load = "saturation"
				}
				got := strings.TrimSpace(b.Verdict + " " + b.AimVerdict)
				if want := c.want[load+" "+b.Unit]; got != want {
					t.Errorf("%s, %s: %s, want %s: %+v %s", b.Case, b.Says, got, want, b.Measured, b.Why)
				}
			}
		})
	}
}

func TestBarsWithoutHAProxySayWhy(t *testing.T) {
	f := sixBlocks()
	f.samples = slices.DeleteFunc(f.samples, func(s sample) bool { return s.cell.peer == haproxy })
	f.missing = []Missing{{Peer: haproxy, Why: "not installed", Install: "apt-get install haproxy"}}
	res := f.conclude(comparison.Environment{}, nil)
	for _, b := range res.Bars {
		against := b.Unit != timesRaw
		if against && (b.Verdict != comparison.NotMeasured || !strings.Contains(b.Why, "apt-get install haproxy")) {
			t.Errorf("%+v", b)
		}
		if !against && b.Verdict != comparison.Met {
			t.Errorf("%+v", b)
		}
	}
	if !res.Valid {
		t.Errorf("what is not installed does not spoil the rest: %v", res.InvalidReasons)
	}
}

func TestWhatSpoilsARun(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(f *fixture)
		stopped error
		says    string
	}{
		"stopped": {func(*fixture) {}, context.Canceled, "stopped before"},
		"nothing": {func(f *fixture) { f.samples = nil }, nil, "nothing was measured"},
		"steal":   {func(f *fixture) { f.samples[0].machine.Stolen = 10 * time.Second }, nil, "starved"},
		"others":  {func(f *fixture) { f.samples[0].machine.Busy += 10 * time.Second }, nil, "not left alone"},
		"errors": {func(f *fixture) {
			f.samples[2].driver.Failed = 3
			f.samples[2].driver.Errors = map[string]int64{"Unavailable: gone": 2, "reset": 1}
		}, nil, "3 requests failed beside 6000 that did not: Unavailable: gone"},
		"a lost request": {func(f *fixture) { f.samples[2].driver.Unanswered = 1 }, nil, "1 request had no answer"},
		"a late driver": {func(f *fixture) {
			for i := range f.samples {
				if s := f.samples[i]; s.cell.of.Load == Paced && s.cell.peer == relay {
					_ = s.driver.SendDelay.RecordValue(int64(8 * time.Millisecond))
				}
			}
		}, nil, "relay, 4000/s, 1 connection, 64 B: the driver fell behind"},
		"too much for the machine": {func(f *fixture) {
			for i := range f.samples {
				if f.samples[i].cell.peer == direct {
					f.samples[i].driver.Unsent = 1
				}
			}
		}, nil, "even without a proxy"},
		"a window that could not be measured": {func(f *fixture) { f.spoiled = []string{"measure frames: it ended"} }, nil, "it ended"},
		"a peer that did not start": {func(f *fixture) {
			f.missing = []Missing{{Peer: "caddy", Why: "it did not listen"}}
		}, nil, "caddy could not be measured: it did not listen"},
	} {
		t.Run(name, func(t *testing.T) {
			f := sixBlocks()
			c.spoil(f)
			res := f.conclude(comparison.Environment{}, c.stopped)
			if res.Valid || !strings.Contains(strings.Join(res.InvalidReasons, "\n"), c.says) {
				t.Errorf("valid %v, %v; want %q", res.Valid, res.InvalidReasons, c.says)
			}
			if res.Partial != (c.stopped != nil) {
				t.Errorf("partial %v", res.Partial)
			}
		})
	}
}

func TestAPeerThatIsTooSlowSpoilsNothing(t *testing.T) {
	f := sixBlocks()
	for i := range f.samples {
		if s := &f.samples[i]; s.cell.peer == rawCodec && s.cell.of.Load == Paced {
			s.driver.Done /= 2
			s.driver.Unanswered = 7
		}
	}
	res := f.conclude(comparison.Environment{}, nil)
	i := slices.IndexFunc(res.Cells, func(c Cell) bool { return c.Peer == rawCodec && !c.KeptUp })
	if !res.Valid || i < 0 {
		t.Fatalf("valid %v: %v", res.Valid, res.InvalidReasons)
	}
	if c := res.Cells[i]; c.LatencyMs.P50 != nil || c.AddedP99Ms != nil || c.CPUUs == nil {
		t.Errorf("%+v", c)
	}
	if text := Text(res); !strings.Contains(text, "did not  ") && !strings.Contains(text, "keep up") {
		t.Errorf("not said:\n%s", text)
	}
}

func TestARunTooShortToDecideSaysSo(t *testing.T) {
	f := sixBlocks()
	f.options.Quick, f.options.Blocks = true, 3
	res := f.conclude(comparison.Environment{}, nil)
	if !res.Illustrative || len(res.IllustrativeReasons) != 2 {
		t.Errorf("%v", res.IllustrativeReasons)
	}
}

func TestWhatCannotBeRunIsRefused(t *testing.T) {
	good := Options{Plan: comparison.Plan{Blocks: 1, Window: time.Second}, Peers: Peers, Cases: Cases}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"no blocks":   func(o *Options) { o.Blocks = 0 },
		"many blocks": func(o *Options) { o.Blocks = comparison.BlocksMax + 1 },
		"no window":   func(o *Options) { o.Window = 0 },
		"no peers":    func(o *Options) { o.Peers = nil },
		"no cases":    func(o *Options) { o.Cases = nil },
	} {
		o := good
		spoil(&o)
		if _, err := Run(t.Context(), o); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheDefaultRunsTakeAsLongAsTheyMay holds the plans to what is promised.
func TestTheDefaultRunsTakeAsLongAsTheyMay(t *testing.T) {
	full := Options{Plan: comparison.Plan{Blocks: DefaultBlocks, Window: DefaultWindow}, Peers: Peers, Cases: Cases}
	quick := Options{Plan: comparison.Plan{Blocks: QuickBlocks, Window: QuickWindow}, Peers: Peers, Cases: SmallCases()}
	if d := full.Expected(); d < 3*time.Minute || d > 5*time.Minute {
		t.Errorf("a run takes %v", d)
	}
	if d := quick.Expected(); d > 45*time.Second {
		t.Errorf("a quick run takes %v", d)
	}
}
