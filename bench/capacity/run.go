package capacity

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"breakbank/bench/load"
	"breakbank/bench/machine"
)

// Run searches, and draws the curve. When ctx ends it stops and returns what was
// measured, marked partial. An error means that there is no result: bad input
// (load.Misuse), or a target that was not there from the beginning.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, load.Misuse{Err: err}
	}
	began := time.Now()
	spec := o.Spec
	spec.RatePerS, spec.Duration = o.Plan.StartPerS, o.length(o.Plan.StartPerS)
	spec, err := load.Resolve(ctx, spec)
	if err != nil {
		return nil, err
	}
	l := &loader{options: &o, spec: spec, began: began, runID: load.NewRunID(began, Kind)}
	r := newResult(&o, began)
	if err := run(ctx, &o, r, l); err != nil {
		return nil, err
	}
	r.Targets, r.Connections, r.Transport = l.last.Targets, l.last.Connections, l.last.Transport
	return r, nil
}

func newResult(o *Options, began time.Time) *Result {
	bound, _ := o.Objective.bound()
	return &Result{
		Schema: load.Schema, Kind: Kind, Scenario: scenario(&o.Spec), Seed: o.Plan.Seed,
		InvalidReasons: []string{}, IllustrativeReasons: []string{}, Objective: o.Objective.Text,
		Resolution: o.Plan.Resolution, Probes: []Probe{}, Targets: []string{},
		Environment: machine.Describe(began, o.Flags), boundMs: float64(bound) / float64(time.Millisecond),
	}
}

func scenario(s *load.Spec) string {
	switch {
	case s.Method != nil:
		return s.Method.Name
	case s.Journeys != nil:
		return s.Journeys.File
	}
	return "bank"
}

// run makes the probes of a search and of its curve.
func run(ctx context.Context, o *Options, r *Result, by prober) error {
	plan := o.Plan
	plan.MinPerS = min(o.lowest(), plan.StartPerS)
	s := NewSearch(plan)
	e := expectation{options: o}
	var stopped error
	for phase, perS, more := s.Next(); more && stopped == nil; phase, perS, more = s.Next() {
		p, err := e.make(ctx, by, r, phase, perS, s.Left()-1)
		if err != nil {
			stopped = err
			break
		}
		s.Tell(p.Outcome)
	}
	r.take(s.Finding())
	if stopped == nil && !o.NoCurve {
		stopped = curve(ctx, &e, by, r, plan)
	}
	if stopped != nil && len(r.Probes) == 0 {
		return stopped
	}
	r.conclude(o, s, stopped)
	return nil
}

// take puts a finding into the result.
func (r *Result) take(f Finding) {
	r.End, r.CapacityPerS = f.End, f.Capacity
	if f.Capacity == nil {
		r.AtLeastPerS, r.BelowPerS = f.AtLeastPerS, f.BelowPerS
	}
}

// carried is the rate that the curve is drawn about; 0 if there is none.
func (r *Result) carried() float64 {
	if r.CapacityPerS != nil {
		return r.CapacityPerS.Value
	}
	return r.AtLeastPerS
}

// The points of a curve, as shares of the capacity in percent.
const (
	curveFrom, curveTo, curveStep = 10, 120, 10
)

// curvePoints is how many a curve has at most, but for what is made again.
const curvePoints = (curveTo-curveFrom)/curveStep + 1

// curve probes all over the range, in random order, and what was invalid once
// more. Where it was not the target that ended the search, what is beyond the
// highest rate is left alone, and so is a rate so low that no probe could judge it.
func curve(ctx context.Context, e *expectation, by prober, r *Result, plan Plan) error {
	var rates []float64
	for percent := curveFrom; percent <= curveTo; percent += curveStep {
		if perS := round(r.carried() * float64(percent) / 100); perS >= e.options.lowestOfCurve() && (r.CapacityPerS != nil || percent <= 100) {
			rates = append(rates, min(perS, plan.MaxPerS))
		}
	}
	rng := rand.New(rand.NewPCG(plan.Seed, 2))
	rng.Shuffle(len(rates), func(i, k int) { rates[i], rates[k] = rates[k], rates[i] })
	first := len(rates)
	for i := 0; i < len(rates); i++ {
		p, err := e.make(ctx, by, r, Curve, rates[i], len(rates)-i-1)
		if err != nil {
			return err
		}
		if p.Outcome == Invalid && i < first {
			rates = append(rates, rates[i])
		}
	}
	return nil
}

// expectation makes probes, says so, and learns from them how long the rest will
// take.
type expectation struct {
	options *Options
	spentS  float64 // on all probes
	made    int
}

// make makes a probe, and pauses. left is how many more of the search, or of the
// curve, are to come.
func (e *expectation) make(ctx context.Context, by prober, r *Result, phase Phase, perS float64, left int) (Probe, error) {
	if err := ctx.Err(); err != nil {
		return Probe{}, context.Cause(ctx)
	}
	at := time.Now()
	p, err := by.probe(ctx, phase, perS, len(r.Probes)+1)
	if err != nil {
		return p, fmt.Errorf("probe at %g/s: %w", perS, err)
	}
	r.Probes = append(r.Probes, p)
	pause := e.options.Pause
	if p.Outcome != Met {
		pause *= afterMiss
	}
	e.made, e.spentS = e.made+1, e.spentS+(time.Since(at)+pause).Seconds()
	if phase != Curve && !e.options.NoCurve {
		left += curvePoints
	}
	if e.options.Progress != nil {
		each := e.spentS / float64(e.made)
		e.options.Progress(Progress{Number: len(r.Probes), Probe: p, Left: time.Duration(float64(left) * each * float64(time.Second))})
	}
	if left > 0 {
		rest(ctx, pause)
	}
	return p, nil
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// unsaidMax is the share of the probes around a capacity that may be invalid: what
// is left out near the edge may not be like what is left in.
const unsaidMax = 0.25

// conclude judges the result.
func (r *Result) conclude(o *Options, s *Search, stopped error) {
	because := func(format string, args ...any) {
		r.InvalidReasons = append(r.InvalidReasons, fmt.Sprintf(format, args...))
	}
	if r.Partial = stopped != nil; r.Partial {
		why := stopped.Error()
		if errors.Is(stopped, context.Canceled) {
			why = "interrupted"
		}
		because("stopped before its end: %s", why)
	}
	why := ""
	for _, p := range r.Probes {
		if p.Outcome == Invalid && p.Phase != Curve {
			why = p.Why[0]
		}
	}
	switch confirming := s.confirmed + s.unsaid; {
	case r.End == ByGenerator && r.AtLeastPerS > 0:
		because("the generator was the limit, not the target: capacity is at least %s/s (%s)", perSecond(r.AtLeastPerS), why)
	case r.End == ByGenerator:
		because("the generator was the limit, not the target: no rate was measured (%s)", why)
	case confirming > 0 && float64(s.unsaid) > unsaidMax*float64(confirming):
		because("%d of %d probes around the capacity say nothing of the target: %s", s.unsaid, confirming, why)
	}
	if o.Probe > 0 && o.Probe < o.showing() {
		r.IllustrativeReasons = append(r.IllustrativeReasons, fmt.Sprintf(
			"a probe of %v: a rate less than %.1f %% beyond the capacity is not noticed, since its queue does not grow to %g ms meanwhile",
			o.Probe, 100*r.boundMs/1000/o.Probe.Seconds(), r.boundMs))
	}
	if e := r.CapacityPerS; e != nil && s.confirmed < 2*confirmBlock {
		r.IllustrativeReasons = append(r.IllustrativeReasons, fmt.Sprintf(
			"only %d probes around the capacity: the interval rests on %d", s.confirmed, 2*confirmBlock))
	}
	r.Valid, r.Illustrative = len(r.InvalidReasons) == 0, len(r.IllustrativeReasons) > 0
}
