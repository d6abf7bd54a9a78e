package capacity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"breakbank/bench/load"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
)

// prober offers one load and judges it.
type prober interface {
	probe(ctx context.Context, phase Phase, perS float64, number int) (Probe, error)
}

// loader is the prober that sends.
type loader struct {
	options *Options
	spec    load.Spec // resolved
	began   time.Time
	runID   string
	// last is what the last load said of itself.
	last *load.Result
}

// probe implements prober. It returns when what was sent has ended, by its
// deadline at the latest.
func (l *loader) probe(ctx context.Context, phase Phase, perS float64, number int) (Probe, error) {
	o := l.options
	s := l.spec
	s.RatePerS, s.Duration, s.WarmUp = perS, o.lengthIn(phase, perS), o.WarmUp
	s.Seed = o.Plan.Seed<<seedBits + uint64(number)
	s.Objective, _ = o.Objective.bound()
	at := time.Since(l.began)
	r, err := load.Run(ctx, s, load.Options{RunID: fmt.Sprintf("%s-%d", l.runID, number)})
	if err != nil {
		return Probe{}, err
	}
	l.last = r
	p := Probe{
		Phase: phase, RatePerS: perS, Seed: s.Seed, ScheduleSHA256: r.ScheduleSHA256,
		DurationS: s.Duration.Seconds(), WarmUpS: s.WarmUp.Seconds(), AtS: at.Seconds(),
		GoodPerS: r.Goodput.PerS, Scheduled: r.Totals.Scheduled, Sent: r.Totals.Sent, OK: r.Totals.OK + r.Totals.Declined,
		LatencyMs: latency(r.Totals.LatencyMs), SendDelayMs: latency(r.Totals.SendDelayMs),
		Errors: r.Totals.Errors, GeneratorCPUUs: r.Totals.GeneratorCPUUs,
	}
	p.Conditions, p.Outcome, p.Why = judge(&o.Objective, r, phase)
	if r.Partial {
		return p, context.Cause(ctx)
	}
	return p, nil
}

// seedBits is how many probes a seed has schedules for.
const seedBits = 12

// judge says what a load says of the target, and what spoke against the load.
//
// A load in which too few requests were due says nothing: by chance, since rates at
// which that is to be expected are not tried.
//
// A load that is INVALID says nothing, unless it was the target that made it so.
// One that meets the objective while its response keeps rising does not meet it:
// it would not have, had it gone on.
//
// A generator that is late makes the response longer, which counts from when a
// request was due, and what it sends more uneven. What meets the objective all the
// same, meets it: a climb goes on. The estimate does without such probes, since
// those that were late and missed it are missing too.
func judge(o *Objective, r *load.Result, phase Phase) (conditions []Condition, out Outcome, why []string) {
	conditions, met := o.judge(r)
	if need, due := int64(o.requests(1)), r.Totals.Scheduled; due < need {
		return conditions, Invalid, []string{fmt.Sprintf("%d requests are too few to judge by, it takes %d", due, need)}
	}
	if met && r.Evidence.Unsteady != "" && rising(r) {
		met = false
		conditions = append(conditions, Condition{
			Condition: "steady", Why: r.Evidence.Unsteady, words: "it did not hold still: " + r.Evidence.Unsteady,
		})
	}
	why, onlyLate := generatorsFault(r)
	bracketing := phase == Climb || phase == Narrow
	switch {
	case met && (len(why) == 0 || onlyLate && bracketing && o.ofResponse()):
		return conditions, Met, why
	case len(why) > 0:
		return conditions, Invalid, why
	}
	return conditions, Missed, nil
}

// rising says whether the median response ended higher than it began. A target
// that warms up does not hold still either, and is none the worse for it.
func rising(r *load.Result) bool {
	var medians []float64
	for _, s := range r.Seconds {
		if s.LatencyMs.P50 != nil {
			medians = append(medians, *s.LatencyMs.P50)
		}
	}
	if len(medians) == 0 {
		return false
	}
	half := len(medians) / 2
	return mean(medians[half:]) > mean(medians[:max(1, half)])
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// generatorsFault lists why a load is INVALID that had nothing to do with the
// target, and says whether that is only that it was late. What was not sent
// because too much was under way, or there was no connection, is the target's
// doing, and so is that its response kept rising: both are what a rate beyond the
// capacity looks like.
func generatorsFault(r *load.Result) (why []string, onlyLate bool) {
	if r.Valid {
		return nil, false
	}
	f := r.Evidence
	f.Sent, f.Dropped, f.Unsent, f.Unsteady = f.Sent+f.Dropped+f.Unsent, 0, 0, ""
	onTime := f
	onTime.SendDelayP99Ms, onTime.SentKS, onTime.GCPauseMaxMs, onTime.GeneratorShare = nil, 0, 0, 0
	onTime.Steal, onTime.PressureShare = 0, 0
	// By the rules that the load was judged by.
	for _, rules := range []evidence.LoadRules{evidence.SharedCores, evidence.OwnCores} {
		if slices.Equal(rules.Judge(r.Evidence), r.InvalidReasons) {
			return rules.Judge(f), len(rules.Judge(onTime)) == 0
		}
	}
	return r.InvalidReasons, false
}

func latency(q recording.Quantiles) load.Latency {
	return load.Latency{P50: q.P50, P90: q.P90, P99: q.P99, P999: q.P999, Max: q.Max}
}
