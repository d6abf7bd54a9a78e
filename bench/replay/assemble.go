package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"breakbank/bench/machine"
	"breakbank/bench/result"
	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
)

// measured is what a run leaves behind.
type measured struct {
	// records are in the order of decision.
	records []loadgen.Record
	endS    float64
	backlog result.Backlog
	// settled says that nothing was on its way any more when the platform was
	// killed.
	settled bool
	self    evidence.Self
	steal   float64
	spent   evidence.Spent // by whom, where spentKnown
	// spentKnown is false of a platform that this process has not started.
	spentKnown bool
	audit      result.Audit
	// partial says that the run was stopped before it was complete. failed is
	// why, if it was not its user who stopped it.
	partial bool
	failed  error
}

// topologySingle is the topology in which everything shares one machine and the
// measured one process: never ranked (measurement.md, "Verdict").
const topologySingle = "single"

// baselinePhase is the phase that the verdict holds the rest against.
const baselinePhase = "baseline"

// assemble makes the result.
func (p *play) assemble(m measured) *result.Result {
	records, opts, plan := result.FirstTries(m.records), p.run.opts, p.run.plan
	series := p.series(records, m.endS)
	run := result.Run{
		Records: records, Spans: p.spans, Seconds: series, Pace: plan.Pace,
		EndS: m.endS, Backlog: m.backlog, Audit: m.audit,
	}
	res := &result.Result{
		Schema: result.Schema, Kind: result.KindReplay, RunID: opts.RunID,
		Scenario: opts.Scenario.Name, Arm: opts.Arm.Name, Fallback: opts.Arm.Fallback, Without: opts.Without,
		Seed: opts.Seed, RatePerS: opts.RatePerS, Pace: plan.Pace, Topology: opts.Topology,
		Customers:      p.run.clients.name,
		ScheduleSHA256: p.run.sha, Partial: m.partial,
		Phases: result.Phases(records, p.spans), Impact: result.MeasureImpact(run),
		Retries: result.CountRetries(m.records),
		Routes:  result.CountRoutes(records), Faults: append([]result.Fault{}, p.faults...), Audit: m.audit,
		Load: result.MeasureLoad(records, p.offered(), m.self), Series: series,
		Environment: machine.Describe(p.clock.zero, opts.Flags),
	}
	res.Load.TellOthers(m.spent, m.spentKnown)
	res.Expectations = p.expectations(records, m.partial, series)
	res.Timeline = p.wholeTimeline(res)
	res.InvalidReasons = result.Verdict(result.Facts{
		Partial: res.Partial, Load: res.Load, Steal: m.steal,
		Unsteady: result.Unsteady(records, p.spans, baselinePhase),
		Faults:   res.Faults, FaultsExpected: p.injects(), FaultJourneys: result.FaultJourneys(records, res.Faults),
		Audit: m.audit, FailedSteps: p.failedSteps,
	}, result.SharedCores)
	if m.failed != nil {
		res.InvalidReasons = append(res.InvalidReasons, m.failed.Error())
	}
	if n := p.recorder.Overflow(); n > 0 {
		res.InvalidReasons = append(res.InvalidReasons, fmt.Sprintf("%d records did not fit the recorder", n))
	}
	res.Valid = len(res.InvalidReasons) == 0
	res.IllustrativeReasons = opts.Arm.Illustrative(plan.Pace, opts.Scenario.PhaseNames(), plan.PhaseLengths())
	if opts.Topology == topologySingle {
		res.IllustrativeReasons = append(res.IllustrativeReasons, "topology single: the measured shares one process")
	}
	res.Illustrative = len(res.IllustrativeReasons) > 0
	return res
}

// audit takes the records and holds them against the books, unless the run was
// stopped before that or is stopped meanwhile. An audit that could not be made
// has failed: nothing then says that the books are right.
func (p *play) audit(ctx context.Context, m *measured) {
	m.records = p.recorder.Records()
	slices.SortFunc(m.records, func(a, b loadgen.Record) int { return cmp.Compare(a.DoneNs, b.DoneNs) })
	var found result.Audit
	if audit := p.run.opts.Audit; audit != nil && ctx.Err() == nil {
		var err error
		if found, err = audit(ctx, p.platform.StoresDir(), m.records, m.settled); err != nil {
			found = result.Audit{Ran: true, Checks: []result.Check{{Name: "the books can be read", Detail: err.Error()}}}
		}
	}
	if m.partial = ctx.Err() != nil; m.partial {
		found = result.Audit{}
	}
	if found.Checks == nil {
		found.Checks = []result.Check{}
	}
	m.audit = found
}

// series is every second of the run, with the routers as they were.
func (p *play) series(records []loadgen.Record, endS float64) []result.Second {
	seconds := result.Seconds(records, endS)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range seconds {
		s := &seconds[i]
		end := p.clock.zero.Add(durationS(s.TS + 1))
		s.Clock, _ = p.clock.show(end)
		if points, ok := p.routers[i]; ok {
			s.Routers = points
		}
		for _, span := range p.spans {
			if span.FromS <= s.TS+0.5 {
				s.Phase = span.Name
			}
		}
	}
	return seconds
}

func (p *play) offered() []result.Offered {
	var offered []result.Offered
	for _, o := range []struct {
		schedule *loadgen.Schedule
		pacer    loadgen.Pacer
		offering *offering
	}{{p.run.warmup, warmupPacer, p.warmup}, {p.run.full, p.run.clients.pacer, p.full}} {
		if o.offering != nil {
			offered = append(offered, result.Offered{Schedule: o.schedule, Pacer: o.pacer, Summary: o.offering.summary})
		}
	}
	return offered
}

// expectations holds the run against the table of its arm, if there is one.
func (p *play) expectations(records []loadgen.Record, partial bool, series []result.Second) []result.Expectation {
	opts := p.run.opts
	phases := slices.DeleteFunc(opts.Scenario.PhaseNames(), func(name string) bool {
		// A run that was cut short is held against the phases it reached.
		return !slices.ContainsFunc(p.spans, func(s result.Span) bool { return s.Name == name })
	})
	table := result.ExpectationsFor(opts.Scenario.Name, opts.Arm.Name, opts.Arm.Fallback, phases, opts.Without)
	checks := result.CheckExpectations(table, records, p.spans)
	routers := result.ExpectedRouters(opts.Scenario.Name, opts.Arm.Name, opts.Without)
	checks = append(checks, result.CheckRouters(routers, series, p.spans)...)
	if routers != nil && !partial {
		checks = append(checks, result.LogExpectation(p.operator.linesFound))
	}
	return checks
}

// wholeTimeline adds to the timeline what only the figures tell.
func (p *play) wholeTimeline(res *result.Result) []result.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	timeline := slices.Clone(p.timeline)
	if im := res.Impact; im.DetectS != nil {
		atS := *im.ImpactFromS + *im.DetectS
		alert := result.Event{TS: atS, Kind: result.EventAlert, ID: "burn-rate", Text: "burn-rate alert fires"}
		alert.Clock, alert.PacedMin = p.clock.show(p.clock.zero.Add(durationS(atS)))
		timeline = append(timeline, alert)
		slices.SortStableFunc(timeline, func(a, b result.Event) int { return cmp.Compare(a.TS, b.TS) })
	}
	return timeline
}

// injects says whether the script, as played, starts faults.
func (p *play) injects() bool {
	for _, step := range p.run.plan.Steps {
		if step.Verb.Injects && !step.Skipped {
			return true
		}
	}
	return false
}
