package peers

import (
	"slices"

	"breakbank/bench/peers/comparison"
)

// conclude turns samples into a result. stopped is why the run ended early, nil
// if it did not.
func conclude(o Options, r *runner, e comparison.Environment, stopped error) *Result {
	t := r.table
	res := &Result{
		Envelope: o.Envelope(subject, stopped), Missing: append([]Missing{}, r.missing...), Cases: o.Cases,
		Cells: []Cell{}, Bars: []comparison.Bar{}, Conditions: t.Conditions(e),
	}
	for _, of := range o.Cases {
		for _, p := range o.Peers {
			c := cell{of: of, peer: p.Name}
			if t.Has(c) {
				res.Cells = append(res.Cells, t.conclude(c))
			}
		}
	}
	for _, of := range o.Cases {
		for _, b := range bars {
			if b.load == of.Load && chosen(o.Peers, frames) && chosen(o.Peers, b.against) {
				res.Bars = append(res.Bars, b.judge(of, t, r.missing))
			}
		}
	}
	res.Judge(invalid(res, r.spoiled, stopped), o.Illustrative("small messages only, short windows"))
	return res
}

// chosen says whether a peer was asked for.
func chosen(peers []Peer, name string) bool {
	return slices.ContainsFunc(peers, func(p Peer) bool { return p.Name == name })
}
