package loadgen

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"breakbank/bench/peers/comparison"
)

// tiny is the shortest run. Its figures mean nothing.
func tiny(t *testing.T, cases []Case, names ...string) Options {
	t.Helper()
	needLinux(t)
	chosen, err := ByNames(names)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Plan: comparison.Plan{Self: self, Blocks: 1, Window: WindowMin, Seed: 1}, Generators: chosen, Cases: cases}
}

// gentle is a case of each kind that two busy cores and the race detector carry.
// The first takes all of the processor that there is: a test of it is not
// parallel, since others look at what came in time.
func gentle() []Case {
	schedule := Cases[2]
	schedule.RatePerS = 1000
	return []Case{saturated(2), schedule, truth("the server is slow", "bimodal:30ms/60ms/10%", 200, 500*time.Millisecond), failing("the server fails", "fail:10%", 200, 500*time.Millisecond)}
}

// TestEveryGeneratorIsPutToEveryCase: a real run, with processes and all.
func TestEveryGeneratorIsPutToEveryCase(t *testing.T) {
	o := tiny(t, gentle())
	here, versions, missing := Installed(o.Generators)
	for _, m := range missing {
		t.Logf("SKIPPED: %s", m)
	}
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range o.Cases {
		for _, g := range here {
			// Beside other tests, the open loop may not be given what it needs.
			if !g.suits(of) || of.Kind == Saturation && g.Name == breakbank {
				continue
			}
			if of.Kind == Truth {
				i := slices.IndexFunc(res.Truths, func(r Report) bool { return r.Case == of.Name && r.Generator == g.Name })
				if i < 0 || res.Truths[i].Calls == 0 {
					t.Errorf("%s, %s: no report: %v", g.Name, of.Name, res.InvalidReasons)
				}
				continue
			}
			i := slices.IndexFunc(res.Costs, func(c Cost) bool { return c.Case == of.Name && c.Generator == g.Name })
			if i < 0 {
				t.Errorf("%s, %s: no cost: %v", g.Name, of.Name, res.InvalidReasons)
				continue
			}
			if c := res.Costs[i]; c.Requests == 0 || c.CPUUs.Value <= 0 || c.ServerCPUUs <= 0 || c.Blocks != 1 {
				t.Errorf("%s, %s: %+v", g.Name, of.Name, c)
			}
			if ours := of.Kind == Schedule && g.Name == breakbank; ours != (res.Costs[i].SendDelayP50Ms != nil) {
				t.Errorf("%s, %s: %+v", g.Name, of.Name, res.Costs[i])
			}
		}
	}
	for _, g := range here {
		if g.program != "" && versions[g.Name] == "" {
			t.Errorf("%s does not say its version", g.Name)
		}
	}
}

func TestAnInterruptedRunKeepsWhatItHas(t *testing.T) {
	o := tiny(t, gentle()[1:2], breakbank)
	o.Blocks = 50
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	t.Setenv("TMPDIR", t.TempDir())
	o.Progress = func(p comparison.Progress) {
		if p.Block == 2 {
			cancel()
		}
	}
	res, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Partial || res.Valid || len(res.Costs) != 1 || res.Costs[0].Blocks != 1 {
		t.Errorf("partial %v, valid %v, costs %+v", res.Partial, res.Valid, res.Costs)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestAGeneratorThatDoesNotStartSpoilsItsCells: and no others.
func TestAGeneratorThatDoesNotStartSpoilsItsCells(t *testing.T) {
	o := tiny(t, gentle()[:1], breakbank, closed)
	i := slices.IndexFunc(o.Generators, func(g Generator) bool { return g.Name == closed })
	o.Generators = append(o.Generators, o.Generators[i])
	o.Generators[len(o.Generators)-1].Name = "nonsense"
	o.Generators[len(o.Generators)-1].args = func(job) []string { return []string{"peers", "nonsense"} }
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	reasons := strings.Join(res.InvalidReasons, "\n")
	if res.Valid || !strings.Contains(reasons, "measure nonsense, saturation, 2 connections") || !strings.Contains(reasons, `no command ["peers" "nonsense"]`) {
		t.Errorf("valid %v: %s", res.Valid, reasons)
	}
	if !slices.ContainsFunc(res.Costs, func(c Cost) bool { return c.Generator == closed }) {
		t.Errorf("%+v", res.Costs)
	}
}

func TestAServerThatDoesNotStartEndsTheRun(t *testing.T) {
	o := tiny(t, gentle()[1:2], breakbank)
	o.Self = func(...string) *exec.Cmd { return self("peers", "nonsense") }
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "null server") {
		t.Errorf("%v", err)
	}
}

func TestSoak(t *testing.T) {
	t.Parallel()
	needLinux(t)
	readings := 0
	s := Soak{Self: self, Lasts: SoakMin, RatePerS: 500, Seed: 1, Progress: func(time.Duration, float64) { readings++ }}
	res, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := res.Memory
	if len(m.MB) < 3 || len(m.MB) != readings || m.FirstMB <= 1 || m.LastMB <= 1 || m.Told.Calls == 0 || len(res.Bars) != 1 {
		t.Errorf("%+v, %d readings", m, readings)
	}
	if text := Text(res); !strings.Contains(text, "resident memory") || !strings.Contains(text, "bars") {
		t.Errorf("%s", text)
	}
	for _, lasts := range []time.Duration{0, SoakMin - 1, SoakMax + 1} {
		if (Soak{Lasts: lasts}).Check() == nil {
			t.Errorf("a soak of %v is taken", lasts)
		}
	}
}

// TestMemoryIsComparedAfterTheWarmUp: a program that grows at first is flat, one
// that goes on growing is not.
func TestMemoryIsComparedAfterTheWarmUp(t *testing.T) {
	const seconds = 300
	grows := func(until int) *Memory {
		m := &Memory{}
		for i := range seconds {
			m.MB = append(m.MB, 50+float64(min(i, until)))
		}
		m.sumUp(seconds * time.Second)
		return m
	}
	if m := grows(20); m.StrayMB != 0 || m.FirstMB != 70 || m.LastMB != 70 || m.WarmUpS != 30 || m.StretchS != 60 {
		t.Errorf("%+v", m)
	}
	// From 30 s on it grows from 80 MB to 349; the first minute's mean is 109.5.
	if m := grows(seconds); m.FirstMB != 109.5 || m.LastMB != 319.5 || m.StrayMB != 349-109.5 {
		t.Errorf("%+v", m)
	}
}
