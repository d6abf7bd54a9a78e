package loadgen

import (
	"slices"

	"breakbank/bench/peers/comparison"
)

// conclude turns samples into a result. stopped is why the run ended early, nil
// if it did not.
func conclude(o Options, r *runner, e comparison.Environment, stopped error) *Result {
	t := r.table
	res := newResult(o, t.Conditions(e), stopped)
	res.Missing = append(res.Missing, r.missing...)
	for _, of := range o.Cases {
		for _, g := range o.Generators {
			c := cell{of.Name, g.Name}
			switch {
			case !t.Has(c):
			case of.Kind == Truth:
				res.Truths = append(res.Truths, t.report(c))
			default:
				res.Costs = append(res.Costs, t.cost(c))
			}
		}
		for _, b := range bars {
			if b.kind == of.Kind && chosen(o.Generators, b.of) && (b.against == "" || chosen(o.Generators, b.against)) {
				res.Bars = append(res.Bars, b.judge(of, t, r.missing))
			}
		}
	}
	res.Judge(invalid(res, r.spoiled, stopped), o.Illustrative("fewer cases, short windows"))
	return res
}

// newResult is a result without measurements.
func newResult(o Options, under comparison.Conditions, stopped error) *Result {
	return &Result{
		Envelope: o.Envelope(subject, stopped), Missing: []Missing{}, Cases: o.Cases,
		Costs: []Cost{}, Truths: []Report{}, Bars: []comparison.Bar{}, Conditions: under,
	}
}

// chosen says whether a generator was asked for.
func chosen(generators []Generator, name string) bool {
	return slices.ContainsFunc(generators, func(g Generator) bool { return g.Name == name })
}
