package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"breakbank/bench/capacity"
)

// capacityVars are what the help of capacity refers to.
func capacityVars() kong.Vars {
	return kong.Vars{
		"capacity_objective": capacity.DefaultObjective, "capacity_start": strconv.Itoa(capacity.DefaultStartPerS),
		"capacity_max": strconv.Itoa(capacity.DefaultMaxPerS), "capacity_confirm": strconv.Itoa(capacity.DefaultConfirm),
		"capacity_resolution": fmt.Sprintf("%g%%", 100*capacity.DefaultResolution),
		"capacity_warm_up":    capacity.DefaultWarmUp.String(), "capacity_pause": capacity.DefaultPause.String(),
	}
}

// capacityCommand finds the highest rate that meets an objective.
type capacityCommand struct {
	loadTarget

	Goal       string        `name:"objective" default:"${capacity_objective}" placeholder:"CONDITION,…" help:"What must hold, with commas between: p50 to p99.9, max, ok, error_rate and so on, as in 'breakbank load --fail-if'. Default: ${capacity_objective}." group:"How to search"`
	Start      string        `default:"${capacity_start}" placeholder:"N" help:"The first rate, a second. Default: ${capacity_start}." group:"How to search"`
	MaxRate    string        `default:"${capacity_max}" placeholder:"N" help:"The highest rate that is tried. Default: ${capacity_max}." group:"How to search"`
	Resolution string        `default:"${capacity_resolution}" placeholder:"PERCENT" help:"How closely to look. Default: ${capacity_resolution}." group:"How to search"`
	Probe      time.Duration `placeholder:"TIME" help:"How long a rate is tried. Default: as long as the objective and the resolution need, from 4s to 1m." group:"How to search"`
	WarmUp     time.Duration `default:"${capacity_warm_up}" placeholder:"TIME" help:"Load for so long before each, and count that apart. Default: ${capacity_warm_up}." group:"How to search"`
	Pause      time.Duration `default:"${capacity_pause}" placeholder:"TIME" help:"Pause after each, once nothing is in flight. Default: ${capacity_pause}." group:"How to search"`
	Confirm    int           `default:"${capacity_confirm}" placeholder:"N" help:"At most so many probes around what was found, for the interval. Default: ${capacity_confirm}." group:"How to search"`
	Pacer      string        `default:"poisson" enum:"poisson,constant" help:"When requests are due: poisson or constant." group:"How to search"`
	NoCurve    bool          `help:"Leave out the throughput–latency curve." group:"How to search"`
	Seed       uint64        `default:"1" help:"Same seed, same arrivals at the same rates." group:"How to search"`

	Out  string `type:"path" placeholder:"DIR" help:"Write capacity.html and result.json there." group:"What to say"`
	JSON bool   `help:"Print the result as JSON and nothing else." group:"What to say"`
}

func (c *capacityCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	if c.Out != "" {
		if err := os.MkdirAll(c.Out, 0o755); err != nil {
			return usageError{fmt.Errorf("--out: %w", err)}
		}
		if err := probe(c.Out, capacityBytes); err != nil {
			return usageError{fmt.Errorf("--out %s cannot take results: %w", c.Out, err)}
		}
	}
	o.Progress = func(p capacity.Progress) { fmt.Fprintln(t.err, p) }
	debug.SetGCPercent(loadGCPercent)
	debug.SetMemoryLimit(loadMemory)
	r, err := capacity.Run(ctx, o)
	if err != nil {
		return misuse(err)
	}
	return errors.Join(c.show(t, r), judgeCapacity(r))
}

// capacityBytes is several times what the page and the result take.
const capacityBytes = 4 << 20

// options reads the flags.
func (c *capacityCommand) options() (capacity.Options, error) {
	o := capacity.Options{
		Probe: c.Probe, WarmUp: c.WarmUp, Pause: c.Pause, NoCurve: c.NoCurve, Flags: withoutSecrets(os.Args[1:]),
		Plan: capacity.Plan{MinPerS: 1, ConfirmMax: c.Confirm, Seed: c.Seed},
	}
	var err error
	if o.Spec, err = c.spec(); err != nil {
		return o, err
	}
	o.Spec.Pacer = c.Pacer
	if o.Objective, err = capacity.ParseObjective(c.Goal); err != nil {
		return o, err
	}
	for _, figure := range []struct {
		flag, text, unit, example string
		times                     float64
		into                      *float64
	}{
		{"--start", c.Start, "/s", "requests a second, such as 500", 1, &o.Plan.StartPerS},
		{"--max-rate", c.MaxRate, "/s", "requests a second, such as 20000", 1, &o.Plan.MaxPerS},
		{"--resolution", c.Resolution, "%", "percent, such as 5%", 0.01, &o.Plan.Resolution},
	} {
		v, err := strconv.ParseFloat(strings.TrimSuffix(figure.text, figure.unit), 64)
		if err != nil || !(v > 0) {
			return o, fmt.Errorf("%s %q: say %s", figure.flag, figure.text, figure.example)
		}
		*figure.into = v * figure.times
	}
	o.Plan.MinPerS = min(o.Plan.MinPerS, o.Plan.StartPerS)
	return o, o.Check()
}

// show prints the result, and writes it where it was asked for.
func (c *capacityCommand) show(t terminal, r *capacity.Result) error {
	if c.Out != "" {
		if err := capacity.Write(c.Out, r); err != nil {
			return err
		}
	}
	if c.JSON {
		return t.showJSON(r)
	}
	fmt.Fprint(t.out, capacity.Text(r))
	if c.Out != "" {
		fmt.Fprintf(t.out, "%s\n%s\n", filepath.Join(c.Out, capacity.PageName), filepath.Join(c.Out, capacity.ResultName))
	}
	return nil
}

// judgeCapacity is the error of a search that was stopped, must not be believed,
// or found no rate at all.
func judgeCapacity(r *capacity.Result) error {
	switch {
	case r.Partial:
		return fmt.Errorf("%s; what was measured is marked partial", r.InvalidReasons[0])
	case !r.Valid:
		return invalidError{fmt.Errorf("the measurement is INVALID: %s", strings.Join(r.InvalidReasons, "; "))}
	case r.End == capacity.Nothing:
		return missedError{fmt.Errorf("missed: not even %g/s meets %s", r.BelowPerS, r.Objective)}
	}
	return nil
}
