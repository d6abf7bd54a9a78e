package loadgen

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/peers/comparison"
	"breakbank/bench/peers/process"
	"breakbank/bench/stats"
)

// Bounds of a soak.
const (
	SoakMin = 5 * time.Second
	SoakMax = 24 * time.Hour
)

const (
	// soakEach is how often memory is read.
	soakEach = time.Second
	// warmUpMax and stretchMax are how long the memory may grow first, and the
	// stretches at the beginning and at the end of the rest that are compared; of
	// a short soak, no more than a fifth and two fifths.
	warmUpMax  = 30 * time.Second
	stretchMax = time.Minute
	// flatMB is by how much the memory may differ from what it was in the first
	// stretch.
	flatMB = 5
	mega   = 1e6
)

// Soak is a long load to watch the memory of our generator by.
type Soak struct {
	Self     func(args ...string) *exec.Cmd
	Lasts    time.Duration
	RatePerS float64
	Seed     uint64
	Flags    []string
	// Progress is told of each reading; nil for nobody.
	Progress func(at time.Duration, megabytes float64)
}

// Memory is what our generator had, in megabytes (10^6 bytes) of resident memory.
type Memory struct {
	RatePerS float64 `json:"rate_per_s"`
	LastedS  float64 `json:"lasted_s"`
	// WarmUpS is left out of what follows; StretchS is how long the first and the
	// last stretch are.
	WarmUpS  float64 `json:"warm_up_s"`
	StretchS float64 `json:"stretch_s"`
	// FirstMB and LastMB are the means of these stretches, LowMB and HighMB the
	// extremes, StrayMB is how far any reading is from FirstMB.
	FirstMB float64 `json:"first_mb"`
	LastMB  float64 `json:"last_mb"`
	LowMB   float64 `json:"low_mb"`
	HighMB  float64 `json:"high_mb"`
	StrayMB float64 `json:"stray_mb"`
	// MB is every reading, one a second, the warm-up included.
	MB []float64 `json:"mb"`
	// Told is what the generator reports of the load.
	Told *Told `json:"told"`
}

// Check refuses what cannot be run.
func (s Soak) Check() error {
	if s.Lasts < SoakMin || s.Lasts > SoakMax {
		return fmt.Errorf("a soak of %v: it can be %v to %v", s.Lasts, SoakMin, SoakMax)
	}
	return nil
}

// SoakRate is the rate of a soak: that of the cases of Schedule.
const SoakRate = schedulePerS

// Run soaks. When ctx ends before, nothing is measured.
func (s Soak) Run(ctx context.Context) (*Result, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	started := time.Now()
	var m *Memory
	var spent machine.Time
	err := onBed(s.Self, func(b *bed) (err error) {
		before := machine.Now()
		m, err = s.watch(ctx, b)
		spent = machine.Now().Minus(before)
		return err
	})
	if err != nil {
		return nil, err
	}
	res := newResult(Options{Plan: comparison.Plan{Seed: s.Seed}, Cases: []Case{}}, comparison.Conditions{
		StealShare:  spent.Steal(),
		Environment: comparison.Environment{Environment: machine.Describe(started, s.Flags), Versions: map[string]string{}},
	}, nil)
	res.Memory = m
	stray := stats.Estimate{Value: m.StrayMB, Low: m.StrayMB, High: m.StrayMB}
	flat := comparison.Bar{
		Case: fmt.Sprintf("%g/s for %g s", m.RatePerS, m.LastedS), Says: fmt.Sprintf("resident memory flat within %d MB", flatMB),
		Unit: "MB", Limit: flatMB,
	}
	flat.Judge(&stray, "")
	res.Bars = append(res.Bars, flat)
	invalid := res.Starved()
	if m.Told.Failed > 0 {
		invalid = append(invalid, fmt.Sprintf("%s failed: %s", comparison.Plural(int(m.Told.Failed), "request"), m.Told.MostFailed))
	}
	if m.Told.OfferedShare < offeredMin {
		invalid = append(invalid, fmt.Sprintf("only %.2f %% of the schedule was offered", m.Told.OfferedShare*100))
	}
	res.Judge(invalid, nil)
	return res, nil
}

// watch reads the generator's memory once a second until its load is over.
func (s Soak) watch(ctx context.Context, b *bed) (*Memory, error) {
	server, err := b.serve(ctx, "")
	if err != nil {
		return nil, err
	}
	defer server.child.Kill()
	ours := Generators[slices.IndexFunc(Generators, func(g Generator) bool { return g.Name == breakbank })]
	j := job{connections: many, streams: streams, ratePerS: s.RatePerS, lasts: s.Lasts, seed: s.Seed}
	child, err := b.start(ctx, ours, &j, server)
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	defer child.Kill()
	m := &Memory{RatePerS: s.RatePerS, LastedS: s.Lasts.Seconds()}
	tick := time.NewTicker(soakEach)
	defer tick.Stop()
	for began := time.Now(); time.Since(began)+soakEach < s.Lasts; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("soak: %w", context.Cause(ctx))
		}
		bytes, err := process.Resident(child)
		if err != nil {
			return nil, fmt.Errorf("soak: %w", err)
		}
		m.MB = append(m.MB, math.Round(float64(bytes)/mega*1e3)/1e3)
		if s.Progress != nil {
			s.Progress(time.Since(began), m.MB[len(m.MB)-1])
		}
	}
	if m.Told, err = b.report(ctx, child, ours, j); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	m.sumUp(s.Lasts)
	return m, nil
}

// sumUp compares the stretches.
func (m *Memory) sumUp(lasts time.Duration) {
	warmUp, stretch := min(warmUpMax, lasts/5), min(stretchMax, 2*lasts/5)
	m.WarmUpS, m.StretchS = warmUp.Seconds(), stretch.Seconds()
	after := m.MB[min(int(warmUp/soakEach), len(m.MB)-1):]
	n := min(max(1, int(stretch/soakEach)), len(after))
	m.FirstMB, m.LastMB = plainMean(after[:n]), plainMean(after[len(after)-n:])
	m.LowMB, m.HighMB = slices.Min(after), slices.Max(after)
	m.StrayMB = max(m.HighMB-m.FirstMB, m.FirstMB-m.LowMB)
}

func writeMemory(out *strings.Builder, m *Memory) {
	if m == nil {
		return
	}
	fmt.Fprintf(out, "resident memory at %g/s, after %g s to warm up\n", m.RatePerS, m.WarmUpS)
	fmt.Fprintf(out, "  %.1f MB over the first %g s, %.1f MB over the last; %.1f to %.1f MB, never more than %.1f MB from the first\n",
		m.FirstMB, m.StretchS, m.LastMB, m.LowMB, m.HighMB, m.StrayMB)
	fmt.Fprintf(out, "  offered %.2f %%, %d failed\n\n", m.Told.OfferedShare*100, m.Told.Failed)
}
