package peers

import (
	"fmt"
	"slices"

	"breakbank/bench/result"
)

// conclude turns samples into a result. stopped is why the run ended early, nil
// if it did not.
func conclude(o Options, r *runner, e Environment, stopped error) *Result {
	t := r.table
	res := &Result{
		Schema: result.Schema, Kind: KindPeers, Scenario: subject, Seed: o.Seed,
		Partial: stopped != nil, Blocks: o.Blocks, WindowS: o.Window.Seconds(),
		Missing: append([]Missing{}, r.missing...), Cases: o.Cases, Cells: []Cell{}, Bars: []Bar{}, Environment: e,
	}
	for _, of := range o.Cases {
		for _, p := range o.Peers {
			c := cell{of: of, peer: p.Name}
			if len(t.samples[c]) > 0 {
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
	res.StealShare, res.OthersShare = t.spent.Steal(), t.spent.Others(t.ours)
	res.InvalidReasons = invalid(res, r.spoiled, stopped)
	res.Valid = len(res.InvalidReasons) == 0
	res.IllustrativeReasons = illustrative(o)
	res.Illustrative = len(res.IllustrativeReasons) > 0
	return res
}

// chosen says whether a peer was asked for.
func chosen(peers []Peer, name string) bool {
	return slices.ContainsFunc(peers, func(p Peer) bool { return p.Name == name })
}

// illustrative says why a result decides nothing, however valid.
func illustrative(o Options) []string {
	reasons := []string{}
	if o.Quick {
		reasons = append(reasons, "a quick run: small messages only, short windows")
	}
	if o.Blocks < blocksToDecide {
		reasons = append(reasons, fmt.Sprintf("%s: with fewer than %d the intervals are too narrow", plural(o.Blocks, "block"), blocksToDecide))
	}
	return reasons
}

// blocksToDecide is from how many blocks on a bootstrap interval means what it
// says: of 5 there are 126 different resamples.
const blocksToDecide = 5
