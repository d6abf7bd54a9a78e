package strategies

import (
	"fmt"

	"breakbank/bench/result"
	"breakbank/bench/sim"
	"breakbank/platform/router/balance"
)

// conclude turns runs into a result.
func conclude(o Options, cells map[job]*cell, costs []float64, e result.Environment, partial bool) *Result {
	m := o.Model
	r := &Result{
		Schema: result.Schema, Kind: KindBench, Scenario: suite, Seed: o.Seed, RatePerS: m.RatePerS,
		Partial: partial, Valid: !partial, InvalidReasons: []string{}, Runs: o.Runs,
		Model: Model{
			Endpoints: m.Endpoints, Routers: m.Routers, Workers: m.Workers, ServiceMeanMs: m.ServiceMean.Seconds() * 1000,
			Service: m.Service, Queue: m.Queue, PatienceMs: m.Patience.Seconds() * 1000,
			Utilization: m.Utilization(), Ejection: m.Ejection,
		},
		Illustrative:        true,
		IllustrativeReasons: []string{"it is a model in virtual time: it ranks strategies, and predicts no service"},
		Cells:               []Cell{}, Environment: e,
	}
	if partial {
		r.InvalidReasons = append(r.InvalidReasons, "it was stopped before its end")
	}
	if o.Runs < DefaultRuns {
		r.IllustrativeReasons = append(r.IllustrativeReasons, fmt.Sprintf("%d runs: intervals need %d", o.Runs, DefaultRuns))
	}
	for i, kind := range o.Strategies {
		r.Strategies = append(r.Strategies, Strategy{kind.Name, kind.About, costs[i]})
	}
	for scenario, s := range o.Scenarios {
		r.Scenarios = append(r.Scenarios, Scenario{
			Name: s.Name, About: s.About, Watched: s.Watched, LengthS: s.Length.Seconds(),
			HarmS: s.Harm.Seconds(), OverS: s.Over.Seconds(), FromS: s.From.Seconds(), ToS: s.To.Seconds(),
		})
		var bound *cell
		for strategy, kind := range o.Strategies {
			if kind.Name == sim.Oracle {
				bound = cells[job{strategy: strategy, scenario: scenario}]
			}
		}
		for strategy, kind := range o.Strategies {
			if c := cells[job{strategy: strategy, scenario: scenario}]; c != nil {
				r.Cells = append(r.Cells, c.conclude(kind, s, bound))
			}
		}
	}
	return r
}

// conclude turns a cell's runs into figures; bound is the oracle's cell, nil if
// there is none.
func (c *cell) conclude(kind balance.StrategyKind, s sim.Scenario, bound *cell) Cell {
	out := Cell{
		Strategy: kind.Name, Scenario: s.Name, Runs: len(c.replicates), Ends: map[string]int{},
		P50Ms:        c.estimate(func(r *replicate) *float64 { return r.p50 }),
		P99Ms:        c.estimate(func(r *replicate) *float64 { return r.p99 }),
		P999Ms:       c.estimate(func(r *replicate) *float64 { return r.p999 }),
		FailedShare:  c.mean(func(r *replicate) float64 { return r.failed }),
		MaxToMean:    c.mean(func(r *replicate) float64 { return r.maxToMean }),
		CV:           c.mean(func(r *replicate) float64 { return r.cv }),
		WatchedShare: c.mean(func(r *replicate) float64 { return r.watched }),
		RecoverS:     c.recovery(s),
	}
	if bound != nil {
		out.P99ToOracle = c.against(bound)
	}
	for _, r := range c.replicates {
		out.Requests += r.requests
		for fate, n := range r.ends {
			if n > 0 {
				out.Ends[sim.Fate(fate).String()] += n
			}
		}
	}
	for i := range c.pooled {
		b := &c.pooled[i]
		p := Point{TS: float64(i) * sim.BucketLength.Seconds(), Arrived: b.Arrived, P50Ms: quantileMs(b, 0.5), P99Ms: quantileMs(b, 0.99)}
		if b.Arrived > 0 {
			p.FailedShare = float64(b.Failed) / float64(b.Arrived)
			p.WatchedShare = float64(b.Watched) / float64(b.Arrived) / c.equalShare()
		}
		out.Series = append(out.Series, p)
	}
	return out
}
