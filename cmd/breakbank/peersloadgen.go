package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"breakbank/bench/peers/comparison"
	generators "breakbank/bench/peers/loadgen"
	"breakbank/loadgen/nullserver"
)

// peersLoadgenCommand compares load generators, interleaved in one run.
type peersLoadgenCommand struct {
	Quick   bool           `help:"Fewer cases, short windows: a little over a minute, and nothing to decide by."`
	Only    []string       `placeholder:"NAME" help:"Measure only these generators: breakbank, breakbank-closed, ghz, h2load."`
	Blocks  *int           `help:"How often each cell is measured, with fresh processes. Default: 6, quick 3."`
	Seconds *float64       `help:"How long each time. Default: 0.7, quick 0.3."`
	Seed    uint64         `default:"1" help:"Seed of the order and of the arrivals."`
	Soak    *time.Duration `placeholder:"TIME" help:"Instead: watch the memory of breakbank's generator at 10,000/s for so long, such as 5m."`
	JSON    bool           `help:"Print the result as JSON and nothing else."`
}

func (c *peersLoadgenCommand) Run(ctx context.Context, t terminal) error {
	self, err := ownCommand()
	if err != nil {
		return err
	}
	debug.SetGCPercent(benchGCPercent)
	if c.Soak != nil {
		return c.soak(ctx, t, self)
	}
	o, err := c.options(self)
	if err != nil {
		return usageError{err}
	}
	_, _, missing := generators.Installed(o.Generators)
	for _, m := range missing {
		fmt.Fprintf(t.err, "left out: %s\n", m)
	}
	o.Progress = sayProgress(t)
	fmt.Fprintf(t.err, "blocks: %d, cases: %d, generators: %d; about %v\n",
		o.Blocks, len(o.Cases), len(o.Generators)-len(missing), o.Expected().Round(time.Second))
	r, err := generators.Run(ctx, o)
	if err != nil {
		return err
	}
	return c.finish(t, r)
}

// finish prints a result and says whether it may be believed.
func (c *peersLoadgenCommand) finish(t terminal, r *generators.Result) error {
	if err := t.show(c.JSON, r, generators.Text(r)); err != nil {
		return err
	}
	return believed(r.Partial, r.Valid, r.InvalidReasons)
}

// soak watches memory only.
func (c *peersLoadgenCommand) soak(ctx context.Context, t terminal, self func(...string) *exec.Cmd) error {
	s := generators.Soak{Self: self, Lasts: *c.Soak, RatePerS: generators.SoakRate, Seed: c.Seed, Flags: os.Args[1:]}
	switch {
	case c.Quick || len(c.Only) > 0 || c.Blocks != nil || c.Seconds != nil:
		return misused("--soak measures one thing for a long time: leave out --quick, --only, --blocks and --seconds")
	case s.Check() != nil:
		return misused("--soak: %w", s.Check())
	}
	said := time.Now()
	s.Progress = func(at time.Duration, megabytes float64) {
		if time.Since(said) >= progressEach {
			said = time.Now()
			fmt.Fprintf(t.err, "%v of %v, %.1f MB\n", at.Round(time.Second), *c.Soak, megabytes)
		}
	}
	r, err := s.Run(ctx)
	if err != nil {
		return err
	}
	return c.finish(t, r)
}

// options checks the flags before anything starts.
func (c *peersLoadgenCommand) options(self func(...string) *exec.Cmd) (generators.Options, error) {
	chosen, err := generators.ByNames(c.Only)
	if err != nil {
		return generators.Options{}, fmt.Errorf("--only: %w", err)
	}
	o := generators.Options{
		Plan: comparison.Plan{
			Self: self, Blocks: generators.DefaultBlocks, Window: generators.DefaultWindow,
			Seed: c.Seed, Quick: c.Quick, Flags: os.Args[1:],
		},
		Generators: chosen, Cases: generators.Cases,
	}
	if c.Quick {
		o.Cases, o.Blocks, o.Window = generators.QuickCases(), generators.QuickBlocks, generators.QuickWindow
	}
	if err := replan(&o.Plan, c.Blocks, c.Seconds, generators.WindowMin); err != nil {
		return o, err
	}
	return o, o.Check()
}

// peersNullCommand is started by a run: the server that generators are held
// against.
type peersNullCommand struct {
	Listen    string `required:"" help:"Where calls come in."`
	Tell      string `help:"Where questions do: 'calls' or 'served', a line."`
	Behaviour string `help:"stall:LENGTH/PERIOD, bimodal:MOST/SOME/SHARE% or fail:SHARE%; by itself it answers at once."`
	Since     int64  `help:"Zero of the behaviour's clock, in Unix nanoseconds; by itself, now."`
}

func (c *peersNullCommand) Run(ctx context.Context) error {
	behaviour, err := nullserver.Parse(c.Behaviour)
	if err != nil {
		return usageError{err}
	}
	since := time.Now()
	if c.Since != 0 {
		since = time.Unix(0, c.Since)
	}
	return generators.ServeNull(ctx, generators.NullServer{Listen: c.Listen, Tell: c.Tell, Behaviour: behaviour, Since: since})
}

// peersOfferCommand is started by a run: breakbank's own generator.
type peersOfferCommand struct {
	Target      string        `required:"" help:"HOST:PORT of the server."`
	Connections int           `default:"1" help:"Connections to it."`
	Closed      int           `help:"So many requests always under way."`
	Rate        float64       `help:"Or so many a second, whatever becomes of them."`
	Even        bool          `help:"Evenly spaced, not at random."`
	MaxInFlight int           `help:"Cap on requests under way; by itself rate x 15 s x 1.2."`
	Duration    time.Duration `required:"" help:"How long."`
	Seed        uint64        `default:"1" help:"Seed of the schedule."`
	Out         string        `help:"File for what was measured; standard output by itself."`
}

func (c *peersOfferCommand) Run(ctx context.Context, t terminal) error {
	o := generators.Offer{
		Target: c.Target, Connections: c.Connections, Closed: c.Closed, RatePerS: c.Rate, Even: c.Even,
		MaxInFlight: c.MaxInFlight, Duration: c.Duration, Seed: c.Seed,
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	told, err := o.Run(ctx)
	if err != nil {
		return err
	}
	if c.Out != "" {
		return told.Write(c.Out)
	}
	if err := json.NewEncoder(t.out).Encode(told); err != nil {
		return fmt.Errorf("print what was measured: %w", err)
	}
	return nil
}
