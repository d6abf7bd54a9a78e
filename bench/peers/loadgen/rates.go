package loadgen

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// An open loop has no rate of its own at saturation: it is asked for one, and
// keeps up or does not. So before the first block the highest that ours keeps up
// with is looked for, going down from what it reaches as a closed loop, and all
// blocks ask for openShare of it: at all of it a queue would grow for as long as
// the load lasts, whoever sends.
const openShare = 0.9

// trials are the shares of the closed loop's rate that are tried.
var trials = [...]float64{1, 0.85, 0.7, 0.55, 0.4, 0.25}

const (
	// keptUpMin is the share of a rate that must come in the window for a
	// generator to have kept up with it. What is under way at both edges may
	// differ by a little.
	keptUpMin = 0.98
	// usualTrials is how many are needed, as a rule.
	usualTrials = 3
)

// searching is how long it takes to find the rates, about.
func (o Options) searching() (sum time.Duration) {
	if !chosen(o.Generators, breakbank) {
		return 0
	}
	for _, of := range o.Cases {
		if of.Kind == Saturation {
			sum += startTime + (1+usualTrials)*o.cell(of)
		}
	}
	return sum
}

// tryRates finds what our open loop is asked for in the cases of Saturation.
func (r *runner) tryRates(ctx context.Context, b *bed, here []Generator) error {
	r.openPerS = map[string]float64{}
	if !chosen(here, breakbank) {
		return nil
	}
	for _, of := range r.options.Cases {
		if of.Kind != Saturation {
			continue
		}
		r.left = r.options.Expected()
		r.options.Say(0, "looking for the highest rate of the open loop, "+of.Name, r.left)
		perS, err := r.highest(ctx, b, of)
		if err != nil {
			return err
		}
		r.openPerS[of.Name] = openShare * perS
	}
	return nil
}

// highest is the highest rate that is kept up with, 0 if it is none of the
// trials.
func (r *runner) highest(ctx context.Context, b *bed, of Case) (float64, error) {
	s, err := b.serve(ctx, "")
	if err != nil {
		return 0, err
	}
	defer s.child.Kill()
	named := func(name string) Generator {
		return Generators[slices.IndexFunc(Generators, func(g Generator) bool { return g.Name == name })]
	}
	top, err := b.cost(ctx, s, of, named(closed), 0, r.options.Window, r.options.Seed)
	if err != nil {
		return 0, fmt.Errorf("find a rate for the open loop: %w", err)
	}
	for _, share := range trials {
		perS := share * top.ratePerS()
		if got, err := b.cost(ctx, s, of, named(breakbank), perS, r.options.Window, r.options.Seed); ctx.Err() != nil {
			return 0, context.Cause(ctx)
		} else if err == nil && got.keptUpWith(perS) {
			return perS, nil
		}
	}
	return 0, nil
}

// keptUpWith says whether a rate was really offered and answered.
func (s *sample) keptUpWith(perS float64) bool {
	return s.told.Failed == 0 && s.told.OfferedShare >= offeredMin && s.ratePerS() >= keptUpMin*perS
}
