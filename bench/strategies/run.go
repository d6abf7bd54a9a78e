package strategies

import (
	"context"
	"sync"
	"time"

	"breakbank/bench/result"
	"breakbank/bench/sim"
)

// job is one run to play: indices into the options' strategies and scenarios,
// and which replicate it is.
type job struct{ strategy, scenario, run int }

// played is a run that was played to its end.
type played struct {
	job
	outcome *sim.Outcome
}

// Run plays the whole matrix; clock tells wall time, for what a decision costs.
// When the context is done it concludes from the runs that were played to their
// end, and marks the result partial. It waits for everything that it has
// started.
func Run(ctx context.Context, o Options, clock func() time.Duration, e result.Environment) *Result {
	costs := make([]float64, len(o.Strategies))
	for i, kind := range o.Strategies {
		if ctx.Err() == nil {
			costs[i] = decisionNs(kind, o.Model, clock)
		}
	}
	cells := map[job]*cell{}
	all := len(o.Strategies) * len(o.Scenarios) * o.Runs
	done := 0
	for p := range playAll(ctx, o) {
		at := job{strategy: p.strategy, scenario: p.scenario}
		if cells[at] == nil {
			cells[at] = &cell{}
		}
		cells[at].add(p.run, p.outcome, o.Scenarios[p.scenario])
		if done++; o.Progress != nil {
			o.Progress(done, all)
		}
	}
	return conclude(o, cells, costs, e, done < all)
}

// playAll plays on o.Parallel goroutines, which have ended when the channel is
// closed; it must be read until then. Replicates come one after the other, so
// that a suite that is stopped has as many of every cell, or one more.
func playAll(ctx context.Context, o Options) <-chan played {
	jobs, results := make(chan job), make(chan played)
	var players sync.WaitGroup
	for range o.Parallel {
		players.Go(func() {
			for j := range jobs {
				outcome, err := sim.Run(ctx, o.Model, o.Scenarios[j.scenario], o.Strategies[j.strategy], o.seedOf(j.run))
				if err == nil { // it can only have been stopped
					results <- played{j, outcome}
				}
			}
		})
	}
	go func() {
		o.handOut(ctx, jobs)
		close(jobs)
		players.Wait()
		close(results)
	}()
	return results
}

// handOut offers every run once, until the context is done.
func (o Options) handOut(ctx context.Context, jobs chan<- job) {
	for run := range o.Runs {
		for scenario := range o.Scenarios {
			for strategy := range o.Strategies {
				select {
				case jobs <- job{strategy, scenario, run}:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// seedOf is a run's seed: the same for every cell, so that all meet the same
// requests, and another for every run of every seed.
func (o Options) seedOf(run int) uint64 { return o.Seed*RunsMax + uint64(run) }
