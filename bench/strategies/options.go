// Package strategies is the suite that draws a picture of every balancing
// strategy: each plays each scenario of bench/sim, in virtual time, with the
// same requests, several times over.
//
//	strategy × scenario      a cell
//	cell × seed              a run, in virtual time; bench/sim
//	runs of a cell           replicates, from which figures get intervals
//
// Figures are of the model and say nothing of a machine, but for what a
// decision costs, which is wall time and says so.
package strategies

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"breakbank/bench/sim"
	"breakbank/platform/router/balance"
)

// Defaults of a suite: some 800 runs of 26,000 requests, which two cores play
// in under 20 s. (What takes the time is the strategies that look at every
// endpoint for every pick.)
const (
	// DefaultEndpoints and DefaultRouters: each router sends an instance a
	// request every seven seconds, so what it knows by itself is old. That is
	// how it is where every machine has its own router.
	DefaultEndpoints = 160
	DefaultRouters   = 40
	// DefaultUtilization leaves the service 82 % used when a third is lost.
	DefaultUtilization = 0.55
	// DefaultRuns is the replicates that measurement asks for.
	DefaultRuns = 8
	RunsMax     = 64

	// One worker with exponential service times is the instance that forgives
	// least, and the one whose truth is in textbooks.
	DefaultWorkers     = 1
	DefaultServiceMean = 100 * time.Millisecond
	DefaultService     = "exponential"
	DefaultQueue       = "fifo"
	// DefaultPatience is 20 mean service times.
	DefaultPatience = 2 * time.Second
)

// Options say what is played.
type Options struct {
	Strategies []balance.StrategyKind
	Scenarios  []sim.Scenario
	Model      sim.Model
	Seed       uint64
	Runs       int
	// Parallel is how many runs are played at once.
	Parallel int
	// Progress is told how many of how many runs are done. nil: nobody is.
	Progress func(done, all int)
}

// Check says what is wrong with the options, before anything starts.
func (o Options) Check() error {
	errs := []error{o.Model.Check()}
	if o.Runs < 1 || o.Runs > RunsMax {
		errs = append(errs, fmt.Errorf("runs %d: it can be 1 to %d", o.Runs, RunsMax))
	}
	if o.Parallel < 1 {
		errs = append(errs, fmt.Errorf("%d runs at once: it must be at least 1", o.Parallel))
	}
	if len(o.Strategies) == 0 || len(o.Scenarios) == 0 {
		errs = append(errs, errors.New("no strategy or no scenario was chosen"))
	}
	return errors.Join(errs...)
}

// ByNames finds strategies, all for no names, in the order of their table. The
// oracle is always among them: it is what the others are held against.
func ByNames(names []string) ([]balance.StrategyKind, error) {
	if len(names) == 0 {
		return balance.Strategies, nil
	}
	if err := known(names, balance.Names(), "strategy"); err != nil {
		return nil, err
	}
	var chosen []balance.StrategyKind
	for _, k := range balance.Strategies {
		if k.Name == sim.Oracle || slices.Contains(names, k.Name) {
			chosen = append(chosen, k)
		}
	}
	return chosen, nil
}

// ScenariosByNames finds scenarios, all for no names, in the order of their
// table.
func ScenariosByNames(names []string) ([]sim.Scenario, error) {
	if len(names) == 0 {
		return sim.Scenarios, nil
	}
	if err := known(names, ScenarioNames(), "scenario"); err != nil {
		return nil, err
	}
	var chosen []sim.Scenario
	for _, s := range sim.Scenarios {
		if slices.Contains(names, s.Name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// ScenarioNames lists the scenarios in table order.
func ScenarioNames() []string {
	all := make([]string, len(sim.Scenarios))
	for i, s := range sim.Scenarios {
		all[i] = s.Name
	}
	return all
}

func known(names, valid []string, what string) error {
	for _, name := range names {
		if !slices.Contains(valid, name) {
			return fmt.Errorf("%s %q is not one of %v", what, name, valid)
		}
	}
	return nil
}
