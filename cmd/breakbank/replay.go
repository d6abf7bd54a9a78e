package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"breakbank/bench/arm"
	"breakbank/bench/audit"
	"breakbank/bench/live"
	"breakbank/bench/load"
	"breakbank/bench/replay"
	"breakbank/bench/report"
	"breakbank/bench/result"
	"breakbank/bench/scenario"
	"breakbank/platform/cluster"
)

// benchGCPercent trades memory, of which the parent needs little, for fewer
// collections in the process that measures.
const benchGCPercent = 400

// overhead is what a run takes beside its script: coming up, growing the
// registry, draining, the audit.
const overhead = 12 * time.Second

// replayCommand plays a scenario under load.
type replayCommand struct {
	controlFlags

	Scenario  string   `arg:"" optional:"" default:"monzo-2017" help:"Scenario: a name, or a YAML file."`
	Arm       string   `default:"linkerd-2017" help:"What the routers are made of: a name, a YAML file, several with commas, 'all' for the four that tell the story, or 'every'."`
	Rate      *float64 `help:"Journeys a second at full load. Default: the scenario's (500 for monzo-2017)."`
	Pace      *float64 `help:"Seconds of the incident a second. Default: the scenario's (60)."`
	Customers string   `default:"even" enum:"even,people" help:"Who makes the load: even (all alike, each once; the one to compare by) or people (busy and idle ones, pushes, hours of the day, sessions, retries)."`
	Seed      uint64   `default:"1" help:"Seed of the load and of the routers: same seed, same schedule, same draws."`
	Fallback  string   `help:"How stand-in is reached: none, routed or independent. Default: as the arm says."`
	Without   []string `help:"Leave out a step or a mechanism of the scenario, such as pots or dark. May be repeated."`
	Topology  string   `default:"single" enum:"single,processes,containers" help:"How the platform is spread: single (one process beside this one), processes (one for each role instance and each instance of a service), containers (a running compose stack, which is emptied; see docs/compose.md)."`
	Stores    string   `default:"${stores}" type:"path" help:"With --topology containers: where the data of the stack's book is mounted."`
	Out       string   `default:"out" type:"path" help:"Directory for results; each run makes its own below it."`
	JSON      bool     `help:"Print the results as JSON and nothing else."`
}

func (c *replayCommand) Run(ctx context.Context, t terminal) error {
	turns, err := c.prepare()
	if err != nil {
		return usageError{err}
	}
	room := mustHaveRoom
	if c.Topology == cluster.LayoutContainers {
		room = mustTakeResults // The platform's data is elsewhere.
	}
	if err := room(c.Out); err != nil {
		return usageError{err}
	}
	debug.SetGCPercent(benchGCPercent)
	b := &batch{command: c, terminal: t, started: time.Now(), turns: len(turns)}
	for _, turn := range turns {
		b.expected += turn.run.Plan().MainMax() + overhead
	}
	if len(turns) > 1 && !c.JSON {
		fmt.Fprintf(t.out, "%d arms, one after the other: about %v\n", len(turns), b.expected.Round(time.Minute))
	}
	for i, turn := range turns {
		res, err := b.play(ctx, i+1, turn)
		if err != nil {
			return errors.Join(err, b.conclude())
		}
		b.results = append(b.results, res)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(b.conclude(), b.judge())
}

// turn is one arm's turn.
type turn struct {
	arm      *arm.Arm
	scenario *scenario.Scenario
	run      *replay.Run
	dir      string
	ratePerS float64
	observer *lateObserver
}

// lateObserver is told of a run by what is put into it before the run is
// played: a run is prepared long before there is anything to look at it with.
type lateObserver struct{ replay.Observer }

// prepare reads arms and scenario and draws every load, before anything starts.
func (c *replayCommand) prepare() ([]turn, error) {
	s, err := scenario.Load(c.Scenario, scenario.DefaultTargets)
	if err != nil {
		return nil, err
	}
	arms, err := arm.LoadAll(c.Arm)
	if err != nil {
		return nil, err
	}
	rate, err := positive("--rate", c.Rate, s.RatePerS)
	if err != nil {
		return nil, err
	}
	pace, err := positive("--pace", c.Pace, s.Pace)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var turns []turn
	for _, a := range arms {
		if a, err = a.WithFallback(c.Fallback); err != nil {
			return nil, err
		}
		if err := cluster.MayRun(c.Topology, a.Router); err != nil {
			return nil, fmt.Errorf("arm %s: %w", a.Name, err)
		}
		id := load.NewRunID(began, s.Name, a.Name)
		next := turn{arm: a, scenario: s, dir: filepath.Join(c.Out, id), ratePerS: rate, observer: &lateObserver{}}
		next.run, err = replay.Prepare(replay.Options{
			Scenario: s, Arm: a, Pace: pace, RatePerS: rate, Seed: c.Seed, Customers: c.Customers, Without: c.Without,
			RunID: id, Dir: next.dir, Topology: c.Topology, Flags: os.Args[1:],
			Observer: next.observer, Audit: audit.RunOnDisk, Report: writeReport,
		})
		if err != nil {
			return nil, err
		}
		turns = append(turns, next)
	}
	return turns, nil
}

func writeReport(dir string, r *result.Result) error {
	_, err := report.Write(dir, r)
	return err
}

// positive is the flag's value, or the default when it was not given. What is
// given must be more than nothing.
func positive(flag string, value *float64, otherwise float64) (float64, error) {
	if value == nil {
		return otherwise, nil
	}
	if !(*value > 0) {
		return 0, fmt.Errorf("%s %g: it must be more than 0", flag, *value)
	}
	return *value, nil
}

// batch is the runs of one command.
type batch struct {
	command  *replayCommand
	terminal terminal
	started  time.Time
	expected time.Duration
	turns    int
	results  []*result.Result
}

// play brings a platform up, plays one run on it, and takes it down.
func (b *batch) play(ctx context.Context, number int, t turn) (res *result.Result, err error) {
	out := b.terminal.out
	if b.command.JSON {
		out = b.terminal.err // Progress is for people; the output is the result.
	}
	view := live.New(out, live.Heading{
		Scenario: t.scenario.Name, Arm: t.arm.Name, Fallback: t.arm.Fallback, RatePerS: t.ratePerS,
		Pace: t.run.Plan().Pace, Seed: b.command.Seed, Turn: number, Turns: b.turns,
		Expected: b.expected, Started: b.started,
	})
	defer view.Close()
	t.observer.Observer = view
	s, err := startSession(ctx, sessionOptions{
		arm: t.arm, layout: b.command.Topology, members: t.scenario.Members, seed: b.command.Seed,
		durability: "fsync", logDir: filepath.Join(t.dir, "logs"),
		progress: func(text string) { view.Progress("starting: " + text) },
		control:  b.command.controlFlags, storesDir: b.command.Stores,
	})
	if err != nil {
		if ctx.Err() != nil {
			interrupted := errors.New("interrupted before the platform was up; nothing was measured")
			if left, ok := errors.AsType[setBackError](err); ok {
				return nil, errors.Join(interrupted, left)
			}
			return nil, interrupted
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	return t.run.Play(ctx, s)
}

// conclude prints what was measured and where it lies. Several runs get a
// report together.
func (b *batch) conclude() error {
	if len(b.results) == 0 {
		return nil
	}
	if b.command.JSON {
		for _, r := range b.results {
			if err := b.terminal.showJSON(r); err != nil {
				return err
			}
		}
		return nil
	}
	out := b.terminal.out
	for _, r := range b.results {
		fmt.Fprintf(out, "\n%s", report.Text(r))
		fmt.Fprintf(out, "\nreport  %s\n", filepath.Join(b.command.Out, r.RunID, report.FileName))
	}
	if len(b.results) > 1 {
		path, err := report.Write(b.command.Out, b.results...)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s\n\nall in one report  %s\n", report.CompareText(b.results), path)
	}
	return nil
}

// judge is the error of a command whose results must not be believed.
func (b *batch) judge() error {
	var errs []error
	for _, r := range b.results {
		switch {
		case r.Partial:
			errs = append(errs, fmt.Errorf("arm %s: stopped before its end; what was measured is marked partial", r.Arm))
		case !r.Audit.Passed:
			errs = append(errs, fmt.Errorf("arm %s: the books do not balance", r.Arm))
		case !r.Valid:
			errs = append(errs, invalidError{fmt.Errorf("arm %s: the measurement is INVALID: %s", r.Arm, strings.Join(r.InvalidReasons, "; "))})
		}
	}
	return errors.Join(errs...)
}
