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

	"breakbank/bench/load"
	"breakbank/bench/load/live"
	"breakbank/loadgen/pacer"
)

// exitMissed: it happened, may be trusted, and missed a threshold that was set.
const exitMissed = 4

// missedError is a threshold that was not kept.
type missedError struct{ error }

// loadGCPercent and loadMemory keep the collector away from a generator that has
// the memory: it makes little garbage, and little of it lives.
const (
	loadGCPercent = 800
	loadMemory    = 2 << 30
)

// loadVars are what the help of load refers to.
func loadVars() kong.Vars {
	return kong.Vars{"pacers": pacer.Forms(), "exit_missed": strconv.Itoa(exitMissed), "env_load_token": envLoadToken}
}

// loadCommand offers a load. Its flags are here and not on Offer, since a
// command's help shows its own.
type loadCommand struct {
	loadTarget
	foreignPace

	Rate     string        `short:"r" placeholder:"N" help:"Requests a second; not beside a pacer that has rates of its own." group:"How much"`
	Duration time.Duration `short:"t" default:"30s" help:"For how long." group:"How much"`
	WarmUp   time.Duration `placeholder:"TIME" help:"Load for so long before it, and count that apart." group:"How much"`
	Pacer    string        `placeholder:"PACER" help:"When requests are due: ${pacers}; of the bank also day:HH:MM/PACE. Default: poisson." group:"How much"`
	Closed   int           `placeholder:"N" help:"A closed loop of N requests at once, in place of a rate. Its latencies hide what callers would have waited." group:"How much"`
	Seed     uint64        `default:"1" help:"Same seed, same schedule." group:"How much"`

	Workers int           `placeholder:"N" help:"Spread the load over N processes of this machine." group:"Workers"`
	Remote  int           `placeholder:"N" help:"Wait for N workers of other machines too; see 'breakbank load worker'." group:"Workers"`
	Listen  string        `placeholder:"HOST:PORT" help:"Where workers join. Default: a port of the loopback." group:"Workers"`
	Wait    time.Duration `default:"1m" help:"How long to wait for workers." group:"Workers"`

	Objective time.Duration `placeholder:"TIME" help:"Goodput counts what was answered well within it." group:"What to say"`
	FailIf    []string      `sep:"none" placeholder:"CONDITION" help:"Exit with ${exit_missed} if it holds, such as 'p99>50ms', 'ok<99.9%', 'rate<9990'. May be repeated." group:"What to say"`
	Out       string        `type:"path" placeholder:"DIR" help:"Write result.json, report.html, series.csv and HDR logs; each run makes its own directory below it." group:"What to say"`
	CSVOut    string        `name:"csv-out" type:"path" placeholder:"FILE" help:"Write the series of seconds." group:"What to say"`
	HTML      string        `name:"html" type:"path" placeholder:"FILE" help:"Write the report." group:"What to say"`
	JSON      bool          `help:"Print the result as JSON and nothing else." group:"What to say"`
	SelfTest  bool          `help:"Offer the load at twice the rate to a null server, from one process, and say whether this machine can." group:"What to say"`

	Offer      loadOfferCommand      `cmd:"" default:"1" hidden:"" help:"Offer a load."`
	Worker     loadWorkerCommand     `cmd:"" help:"Take part in a load that another machine coordinates."`
	NullServer loadNullServerCommand `cmd:"" hidden:"" help:"Answer every call with nothing."`
}

// loadOfferCommand is "breakbank load" itself.
type loadOfferCommand struct{}

// Run runs it.
func (loadOfferCommand) Run(ctx context.Context, c *loadCommand, t terminal) error {
	return c.offer(ctx, t)
}

func (c *loadCommand) offer(ctx context.Context, t terminal) error {
	spec, err := c.spec()
	if err != nil {
		return usageError{err}
	}
	options, err := c.options()
	if err != nil {
		return usageError{err}
	}
	if err := errors.Join(spec.Check(), c.checkSelfTest()); err != nil {
		return usageError{err}
	}
	if err := c.canWrite(); err != nil {
		return usageError{err}
	}
	debug.SetGCPercent(loadGCPercent)
	debug.SetMemoryLimit(loadMemory)
	if c.SelfTest {
		return c.selfTest(ctx, t, spec, options)
	}
	out := t.out
	if c.JSON {
		out = t.err // Progress is for people; the output is the result.
	}
	view := live.New(out, load.Heading(spec))
	options.Observer = view
	r, err := load.Run(ctx, spec, options)
	view.Close()
	if err != nil {
		return misuse(err)
	}
	if err := errors.Join(t.show(c.JSON, r, load.Text(r)), c.write(t, r)); err != nil {
		return errors.Join(err, judgeLoad(r))
	}
	return judgeLoad(r)
}

// misuse makes bad input of a spec bad input of the command.
func misuse(err error) error {
	if errors.As(err, new(load.Misuse)) {
		return usageError{err}
	}
	return err
}

// judgeLoad is the error of a load that was stopped, must not be believed, or
// missed a threshold: the first of these that holds.
func judgeLoad(r *load.Result) error {
	var missed []string
	for _, threshold := range r.Thresholds {
		if threshold.Missed {
			missed = append(missed, threshold.String())
		}
	}
	switch {
	case r.Partial:
		return errors.New("stopped before its end; what was measured is marked partial")
	case !r.Valid:
		return invalidError{fmt.Errorf("the measurement is INVALID: %s", strings.Join(r.InvalidReasons, "; "))}
	case len(missed) > 0:
		return missedError{fmt.Errorf("missed: %s", strings.Join(missed, "; "))}
	}
	return nil
}

// spec reads the flags that say what is sent, and when.
func (c *loadCommand) spec() (load.Spec, error) {
	s, err := c.loadTarget.spec()
	if err != nil {
		return s, err
	}
	s.Pacer, s.Closed, s.Duration, s.WarmUp, s.Seed, s.Objective = c.Pacer, c.Closed, c.Duration, c.WarmUp, c.Seed, c.Objective
	s.RatePerS, err = c.ratePerS()
	return s, err
}

// ratePerS reads a rate: 500, or 500/s.
func (c *loadCommand) ratePerS() (float64, error) {
	if c.Rate == "" {
		if c.Closed == 0 && c.Pacer == "" {
			return 0, errors.New("say how much: --rate N requests a second, a --pacer with rates, or --closed N at once")
		}
		return 0, nil
	}
	rate, err := strconv.ParseFloat(strings.TrimSuffix(c.Rate, "/s"), 64)
	if err != nil || !(rate > 0) {
		return 0, fmt.Errorf("--rate %q: say requests a second, more than 0, such as 500 or 500/s", c.Rate)
	}
	return rate, nil
}

// options reads the flags that say how it is run.
func (c *loadCommand) options() (load.Options, error) {
	o := load.Options{Flags: withoutSecrets(os.Args[1:])}
	for _, text := range c.FailIf {
		threshold, err := load.ParseThreshold(text)
		if err != nil {
			return o, fmt.Errorf("--fail-if: %w", err)
		}
		o.Thresholds = append(o.Thresholds, threshold)
	}
	what := "bank"
	if c.Method != "" {
		what = c.Method[strings.LastIndexAny(c.Method, "/.")+1:]
	} else if c.Journeys != "" {
		what = strings.TrimSuffix(filepath.Base(c.Journeys), filepath.Ext(c.Journeys))
	}
	o.RunID = load.NewRunID(time.Now(), "load", what)
	var err error
	o.Workers, err = c.workers()
	return o, err
}

// withoutSecrets leaves the values of headers out of what a result says of its
// flags: they may be passwords.
func withoutSecrets(args []string) []string {
	const hidden = "…"
	kept := make([]string, 0, len(args))
	for i, arg := range args {
		switch name, value, given := strings.Cut(arg, "="); {
		case i > 0 && (args[i-1] == "-H" || args[i-1] == "--metadata"):
			kept = append(kept, hideValue(arg, hidden))
		case given && name == "--metadata":
			kept = append(kept, name+"="+hideValue(value, hidden))
		case strings.HasPrefix(arg, "-H") && len(arg) > len("-H"):
			kept = append(kept, "-H"+hideValue(arg[len("-H"):], hidden))
		default:
			kept = append(kept, arg)
		}
	}
	return kept
}

func hideValue(header, with string) string {
	if at := strings.IndexAny(header, ":="); at > 0 {
		return header[:at+1] + with
	}
	return with
}

// ownPath is this program.
func ownPath() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
