package strategies

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"breakbank/bench/chart"
	"breakbank/bench/result"
	"breakbank/bench/sim"
	"breakbank/platform/router/balance"
)

// quick is a suite that plays in no time.
func quick(t *testing.T, strategies, scenarios []string) Options {
	t.Helper()
	kinds, err := ByNames(strategies)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := ScenariosByNames(scenarios)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Strategies: kinds, Scenarios: chosen, Seed: 1, Runs: 2, Parallel: 2,
		Model: sim.Model{
			Endpoints: 20, Routers: 3, Workers: DefaultWorkers, ServiceMean: DefaultServiceMean,
			Service: DefaultService, Queue: DefaultQueue, Patience: DefaultPatience, RatePerS: 110,
		},
	}
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	return o
}

// ticking is a clock on which every reading is a millisecond after the last.
func ticking() func() time.Duration {
	var now time.Duration
	return func() time.Duration {
		now += time.Millisecond
		return now
	}
}

func play(t *testing.T, o Options) *Result {
	t.Helper()
	return Run(t.Context(), o, ticking(), result.Environment{Flags: []string{"bench", "strategies"}})
}

func TestTheWholeMatrixIsPlayed(t *testing.T) {
	o := quick(t, nil, nil)
	if testing.Short() {
		o.Runs = 1
	}
	last := 0
	o.Progress = func(done, all int) {
		if done != last+1 || all != len(balance.Strategies)*len(sim.Scenarios)*o.Runs {
			t.Errorf("%d of %d runs are done, after %d", done, all, last)
		}
		last = done
	}
	r := play(t, o)
	if !r.Valid || r.Partial || r.Kind != "bench" || len(r.Cells) != len(balance.Strategies)*len(sim.Scenarios) {
		t.Fatalf("valid %v, partial %v, kind %q, %d cells", r.Valid, r.Partial, r.Kind, len(r.Cells))
	}
	for _, c := range r.Cells {
		ended := 0
		for _, n := range c.Ends {
			ended += n
		}
		if c.Runs != o.Runs || c.Requests == 0 || ended != c.Requests {
			t.Errorf("%s, %s: %d runs, %d requests, %d ends", c.Strategy, c.Scenario, c.Runs, c.Requests, ended)
		}
		if c.Strategy == sim.Oracle && math.Abs(c.P99ToOracle.Value-1) > 1e-9 {
			t.Errorf("%s: the oracle's p99 is %v of its own", c.Scenario, c.P99ToOracle.Value)
		}
	}
	for _, s := range r.Strategies {
		// 500 requests between two readings, a millisecond.
		if s.DecisionWallNs != 2000 {
			t.Errorf("%s: a decision takes %v ns by a clock that says 2000", s.Name, s.DecisionWallNs)
		}
	}
}

// However runs are spread over goroutines, and in whichever order they end.
func TestTheSameSeedGivesTheSameResult(t *testing.T) {
	o := quick(t, []string{"p2c-ewma", "prequal"}, []string{"slow-instance", "zone-loss"})
	a := play(t, o)
	o.Parallel = 5
	if b := play(t, o); !reflect.DeepEqual(a, b) {
		t.Error("five at once give another result than two")
	}
	o.Seed = 2
	if c := play(t, o); reflect.DeepEqual(a.Cells, c.Cells) {
		t.Error("another seed makes no difference")
	}
}

// A suite that is stopped concludes from what it has, and says so.
func TestAStoppedSuiteIsPartial(t *testing.T) {
	o := quick(t, []string{"random"}, nil)
	o.Runs = RunsMax
	ctx, cancel := context.WithCancel(t.Context())
	const enough = 30
	o.Progress = func(done, _ int) {
		if done == enough {
			cancel()
		}
	}
	r := Run(ctx, o, ticking(), result.Environment{})
	runs := 0
	for _, c := range r.Cells {
		runs += c.Runs
	}
	if !r.Partial || r.Valid || len(r.InvalidReasons) == 0 || runs < enough || runs == RunsMax*len(r.Cells) {
		t.Errorf("partial %v, valid %v, %d runs, %v", r.Partial, r.Valid, runs, r.InvalidReasons)
	}
	if text := Text(r, false); !strings.Contains(text, "INVALID, partial") {
		t.Errorf("the text does not say so:\n%s", text)
	}

	cancel() // and before anything was played
	if r := Run(ctx, o, ticking(), result.Environment{}); !r.Partial || len(r.Cells) != 0 {
		t.Errorf("partial %v with %d cells", r.Partial, len(r.Cells))
	} else if _, err := Render(r); err != nil {
		t.Error(err)
	}
}

func TestNamesAreChecked(t *testing.T) {
	if _, err := ByNames([]string{"p2c"}); err == nil || !strings.Contains(err.Error(), "p2c-ewma") {
		t.Errorf("said %v", err)
	}
	if _, err := ScenariosByNames([]string{"flood"}); err == nil || !strings.Contains(err.Error(), "zone-loss") {
		t.Errorf("said %v", err)
	}
	kinds, err := ByNames([]string{"random"})
	if err != nil || len(kinds) != 2 || kinds[1].Name != sim.Oracle {
		t.Errorf("chose %v, %v: the oracle belongs to every choice", kinds, err)
	}
}

// recovering is a cell of one run whose watched instances hurt so many of 100
// requests in each second.
func recovering(hurt ...int) *cell {
	r := replicate{equalShare: 0.5}
	for _, n := range hurt {
		r.buckets = append(r.buckets, counts{arrived: 100, watched: n, hurt: n})
	}
	return &cell{replicates: []replicate{r}, pooled: make([]sim.Bucket, len(hurt))}
}

func TestRecovery(t *testing.T) {
	s := sim.Scenario{Harm: 2 * time.Second}
	for _, c := range []struct {
		name string
		cell *cell
		want float64 // -1: none
	}{
		{"never hurt", recovering(0, 0, 0, 0, 0), 0},
		{"hurt before the harm only", recovering(9, 9, 0, 0, 0), 0},
		{"for two seconds", recovering(0, 0, 9, 9, 0), 2},
		{"again after it looked well", recovering(0, 0, 9, 0, 9, 0), 3},
		{"not more than the limit", recovering(0, 0, 1, 1, 1), 0},
		{"to the end", recovering(0, 0, 9, 9, 9), -1},
	} {
		got := c.cell.recovery(s)
		switch {
		case c.want < 0 && got != nil:
			t.Errorf("%s: recovered after %v", c.name, got.Value)
		case c.want >= 0 && (got == nil || got.Value != c.want):
			t.Errorf("%s: %+v, want %v", c.name, got, c.want)
		}
	}
	few := recovering(0, 0, 1, 1, 0)
	few.replicates[0].equalShare = 0.01 // one of a hundred: half of what it gets is the limit
	if got := few.recovery(s); got == nil || got.Value != 2 {
		t.Errorf("one instance of a hundred: %+v, want 2", got)
	}
	if recovering(9, 9).recovery(sim.Scenario{}) != nil {
		t.Error("without a harm there is nothing to recover from")
	}
}

func TestSpread(t *testing.T) {
	if most, cv := spread([]float64{1, 1, 1, 5}); most != 2.5 || math.Abs(cv-math.Sqrt(3)/2) > 1e-12 {
		t.Errorf("greatest %v of the mean, cv %v; want 2.5 and √3/2", most, cv)
	}
	if most, cv := spread(nil); most != 0 || cv != 0 {
		t.Errorf("nothing is spread by %v and %v", most, cv)
	}
}

func TestFiguresSayNoMoreThanIsKnown(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.1234: "0.123", 69.54: "69.5", 937.2: "937", 1234: "1230", 2004: "2000", 9999: "10000"} {
		if got := significant(v); got != want {
			t.Errorf("significant(%v) = %q, want %q", v, got, want)
		}
	}
	for share, want := range map[float64]string{0: "0", 0.00001: "<0.01", 0.0123: "1.23", 0.5: "50.0"} {
		if got := percent(share); got != want {
			t.Errorf("percent(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestTextIsPlainWhereThereIsNoTerminal(t *testing.T) {
	r := play(t, quick(t, []string{"random"}, []string{"zone-loss"}))
	text := Text(r, false)
	if strings.Contains(text, "\x1b") {
		t.Error("it has escape sequences")
	}
	for _, want := range []string{"zone-loss: a third", "random", sim.Oracle, "VALID, illustrative", "wall time"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if !strings.Contains(Text(r, true), "\x1b") {
		t.Error("a terminal gets no colours")
	}
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	dir := t.TempDir()
	r := play(t, quick(t, []string{"random", "p2c-ewma"}, nil))
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, PageName))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"http://", "https://", "<script", "src=", "@import", "url(", "ZgotmplZ", "NaN"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	pictures := strings.Count(string(page), "<svg")
	if want := 2 * len(r.Strategies) * len(r.Scenarios); pictures != want {
		t.Errorf("%d pictures, want %d", pictures, want)
	}
	closed(t, string(page))

	data, err := os.ReadFile(filepath.Join(dir, ResultName))
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(&back, r) {
		t.Errorf("the result does not come back as it was written: %v", err)
	}
}

// closed checks that every element of a page is.
func closed(t *testing.T, page string) {
	t.Helper()
	void := map[string]bool{"meta": true, "path": true}
	var open []string
	for tokens := html.NewTokenizer(strings.NewReader(page)); ; {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) != 0 {
				t.Errorf("left open at the end: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := tokens.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestTheStripJoinsSecondsOfOneClass(t *testing.T) {
	var series []Point
	for i, failed := range []float64{0, 0.02, 0.05, 0, 0.2, 0.9} {
		series = append(series, Point{TS: float64(i), FailedShare: failed})
	}
	var got []string
	for _, b := range strip(series, chart.Scale{To: 6}) {
		got = append(got, b.Class+" "+string(b.Left)+" "+string(b.Width))
	}
	want := []string{"f2 16.67% 33.33%", "f3 66.67% 16.67%", "f4 83.33% 16.67%"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
