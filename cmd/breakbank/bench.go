package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"breakbank/bench/machine"
	"breakbank/bench/sim"
	"breakbank/bench/strategies"
	"breakbank/platform/router/balance"
)

// benchCommand is the suites.
type benchCommand struct {
	Strategies benchStrategiesCommand `cmd:"" help:"Play every balancing strategy against cold start, slow and failing instances, a zone loss and a capacity mix, in virtual time."`
	Soak       benchSoakCommand       `cmd:"" help:"Hold a platform under a steady load and say whether memory, goroutines and open files of its processes stay as they are."`
}

// benchStrategiesCommand draws a picture of every strategy.
type benchStrategiesCommand struct {
	Scenario  []string `placeholder:"A,B" help:"Only these: ${sim_scenarios}."`
	Strategy  []string `placeholder:"X,Y" help:"Only these, beside the oracle: ${strategies}."`
	Endpoints int      `default:"${bench_endpoints}" help:"Instances of the service."`
	Routers   int      `default:"${bench_routers}" help:"Callers, each with a strategy of its own."`
	Rate      *float64 `help:"Requests a second, of the whole service. Default: ${bench_used} % of what it can serve."`
	Workers   int      `default:"${bench_workers}" help:"Requests that an instance serves at once."`
	Queue     string   `default:"${bench_queue}" help:"How an instance serves them: ${sim_queues}."`
	Service   string   `default:"${bench_service}" help:"How service times vary: ${sim_services}."`
	Ejection  bool     `help:"Give every router outlier ejection: after 5 failures in a row, up to half of the instances."`
	Seed      uint64   `default:"1" help:"Seed of arrivals, work and choices."`
	Runs      int      `default:"${bench_runs}" help:"How often each strategy plays each scenario, with other seeds."`
	JSON      bool     `help:"Print the result as JSON and nothing else."`
	Out       string   `type:"path" placeholder:"DIR" help:"Write strategies.html and result.json there."`
}

// benchVars are what the flags' help says of the tables, and their defaults.
func benchVars() kong.Vars {
	return kong.Vars{
		"sim_scenarios": strings.Join(strategies.ScenarioNames(), ", "), "strategies": strings.Join(balance.Names(), ", "),
		"sim_queues": strings.Join(sim.DisciplineNames(), ", "), "sim_services": strings.Join(sim.DistributionNames(), ", "),
		"bench_endpoints": strconv.Itoa(strategies.DefaultEndpoints), "bench_routers": strconv.Itoa(strategies.DefaultRouters),
		"bench_workers": strconv.Itoa(strategies.DefaultWorkers), "bench_queue": strategies.DefaultQueue,
		"bench_service": strategies.DefaultService, "bench_runs": strconv.Itoa(strategies.DefaultRuns),
		"bench_used": strconv.Itoa(int(100 * strategies.DefaultUtilization)),
	}
}

func (c *benchStrategiesCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	if c.Out != "" {
		if err := os.MkdirAll(c.Out, 0o755); err != nil {
			return usageError{fmt.Errorf("--out: %w", err)}
		}
		if err := probe(c.Out, benchBytes); err != nil {
			return usageError{fmt.Errorf("--out %s cannot take results: %w", c.Out, err)}
		}
	}
	progress := &benchProgress{terminal: t, began: time.Now()}
	o.Progress = progress.say
	debug.SetGCPercent(benchGCPercent)
	began := time.Now()
	clock := func() time.Duration { return time.Since(began) }
	r := strategies.Run(ctx, o, clock, machine.Describe(began, os.Args[1:]))
	if err := c.show(t, r, time.Since(began)); err != nil {
		return err
	}
	if r.Partial {
		return errors.New("stopped before its end; what was measured is marked partial")
	}
	return nil
}

// show prints the result, and writes it where it was asked for.
func (c *benchStrategiesCommand) show(t terminal, r *strategies.Result, took time.Duration) error {
	if c.Out != "" {
		if err := strategies.Write(c.Out, r); err != nil {
			return err
		}
	}
	if c.JSON {
		return t.showJSON(r)
	}
	f, isFile := t.out.(*os.File)
	fmt.Fprint(t.out, strategies.Text(r, isFile && term.IsTerminal(int(f.Fd()))))
	fmt.Fprintf(t.out, "%v of wall time\n", took.Round(100*time.Millisecond))
	if c.Out != "" {
		fmt.Fprintf(t.out, "%s\n%s\n", filepath.Join(c.Out, strategies.PageName), filepath.Join(c.Out, strategies.ResultName))
	}
	return nil
}

// options checks the flags before anything starts.
func (c *benchStrategiesCommand) options() (strategies.Options, error) {
	chosen, err := strategies.ByNames(c.Strategy)
	if err != nil {
		return strategies.Options{}, fmt.Errorf("--strategy: %w", err)
	}
	scenarios, err := strategies.ScenariosByNames(c.Scenario)
	if err != nil {
		return strategies.Options{}, fmt.Errorf("--scenario: %w", err)
	}
	o := strategies.Options{
		Strategies: chosen, Scenarios: scenarios, Seed: c.Seed, Runs: c.Runs, Parallel: runtime.GOMAXPROCS(0),
		Model: sim.Model{
			Endpoints: c.Endpoints, Routers: c.Routers, Workers: c.Workers, Queue: c.Queue, Service: c.Service,
			ServiceMean: strategies.DefaultServiceMean, Patience: strategies.DefaultPatience,
		},
	}
	o.Model.RatePerS = math.Round(10*strategies.DefaultUtilization*o.Model.CapacityPerS()) / 10
	if c.Rate != nil {
		o.Model.RatePerS = *c.Rate
	}
	if c.Ejection {
		o.Model.Ejection = &balance.EjectionConfig{MaxPercent: benchEjectPercent, PanicPercent: benchEjectPercent}
		*o.Model.Ejection = o.Model.Ejection.WithDefaults()
	}
	return o, o.Check()
}

const (
	// benchEjectPercent is the ejection of the arm guarded: at most half of the
	// instances, and none of them once half are left.
	benchEjectPercent = 50
	// benchBytes is more than page and result take: 1 MiB and 3 MiB for the
	// whole matrix.
	benchBytes = 8 << 20
)

// benchProgress writes how far a suite is, a line at a time, not too often.
type benchProgress struct {
	terminal    terminal
	began, said time.Time
}

func (p *benchProgress) say(done, all int) {
	if time.Since(p.said) < progressEach || done == all {
		return
	}
	if p.said = time.Now(); done > 0 {
		left := time.Duration(float64(time.Since(p.began)) / float64(done) * float64(all-done))
		fmt.Fprintf(p.terminal.err, "%d of %d runs; %v left\n", done, all, left.Round(time.Second))
	}
}
