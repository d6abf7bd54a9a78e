package comparison

import "fmt"

// Bounds of a run that is to be believed (measurement.md, "Verdict").
const (
	// StealMax is the share of the machine's time that its host may give to
	// others.
	StealMax = 0.05
	// othersMax is the share that may go to processes outside the run.
	othersMax = 0.05
)

// blocksToDecide is from how many blocks on a bootstrap interval means what it
// says: of 5 there are 126 different resamples.
const blocksToDecide = 5

// Starved says why the machine was not there for the run; nothing if it was.
func (c Conditions) Starved() (reasons []string) {
	if c.StealShare > StealMax {
		reasons = append(reasons, fmt.Sprintf("the machine was starved: its host gave %.0f %% of its time to others, more than %.0f %%",
			c.StealShare*100, StealMax*100))
	}
	if c.OthersShare > othersMax {
		reasons = append(reasons, fmt.Sprintf("the machine was not left alone: other processes took %.0f %% of its time, more than %.0f %%",
			c.OthersShare*100, othersMax*100))
	}
	return reasons
}

// Illustrative says why a result decides nothing, however valid. quick is what a
// quick run leaves out.
func (p Plan) Illustrative(quick string) (reasons []string) {
	if p.Quick {
		reasons = append(reasons, "a quick run: "+quick)
	}
	if p.Blocks < blocksToDecide {
		reasons = append(reasons, fmt.Sprintf("%s: with fewer than %d the intervals are too narrow", Plural(p.Blocks, "block"), blocksToDecide))
	}
	return reasons
}
