package picture

import (
	"slices"

	"breakbank/bench/result"
)

// Comparison is two pictures side by side.
type Comparison struct {
	A     Side     `json:"a"`
	B     Side     `json:"b"`
	Rows  []Row    `json:"rows"`
	Names []string `json:"journeys"`
	// Cautions say, a line each, why the two should not be compared.
	Cautions []string `json:"cautions"`
	// Differences counts the cells, and the phases that only one has.
	Differences int `json:"differences"`
}

// Side says which replay it is.
type Side struct {
	RunID    string `json:"run_id"`
	Scenario string `json:"scenario"`
	Arm      string `json:"arm"`
	Fallback string `json:"fallback"`
	Topology string `json:"topology"`
	Valid    bool   `json:"valid"`
	Partial  bool   `json:"partial"`
}

// Row is a phase.
type Row struct {
	Phase string `json:"phase"`
	// InA and InB say which replays have the phase.
	InA   bool            `json:"in_a"`
	InB   bool            `json:"in_b"`
	Pairs map[string]Pair `json:"pairs"`
}

// Pair is a cell of both.
type Pair struct {
	A      Cell `json:"a"`
	B      Cell `json:"b"`
	Differ bool `json:"differ"`
}

// Compare holds one replay's picture against another's.
func Compare(a, b *result.Result) Comparison {
	c := Comparison{
		A: sideOf(a), B: sideOf(b), Rows: []Row{},
		Cautions: result.Compare([]*result.Result{a, b}).Cautions,
		Names:    namesOf(a, b),
	}
	picturesA, picturesB := Of(a), Of(b)
	outageA, outageB := false, false // so far
	for _, name := range phasesOf(picturesA, picturesB) {
		inA, okA := find(picturesA, name)
		inB, okB := find(picturesB, name)
		row := Row{Phase: name, InA: okA, InB: okB, Pairs: map[string]Pair{}}
		if okA != okB {
			c.Differences++
		}
		for _, journey := range c.Names {
			cellA, cellB := cellIn(inA, journey), cellIn(inB, journey)
			pair := Pair{A: cellA, B: cellB, Differ: !sameIn(name, outageA && outageB, cellA, cellB)}
			if pair.Differ {
				c.Differences++
			}
			row.Pairs[journey] = pair
		}
		outageA, outageB = outageA || inA.outage(), outageB || inB.outage()
		c.Rows = append(c.Rows, row)
	}
	return c
}

// recovering is the phase until every router is live again. After an outage it is
// as long as the waits between their attempts, which are drawn and double, and
// much or little is felt in it: the same arm came back after 4, 8 and 11 s.
const recovering = "recovering"

// outage says whether a journey was dead or failing in the phase.
func (p Phase) outage() bool {
	for _, cell := range p.Cells {
		if cell.Band == Dead || cell.Band == Failing {
			return true
		}
	}
	return false
}

// transitions are phases that are over when something has changed hands: how far
// a journey falls in them says how long that took, which is the machine's doing
// and not the story. A rollout in containers takes two or three times as long as
// in one process, and of its two seconds 11 or 51 % of the taps are answered.
var transitions = []string{"deploy", recovering}

// sameIn says whether two cells tell the same of a phase. In a transition that is
// whether anything was felt at all, and of the recovery from an outage that both
// had they tell nothing.
func sameIn(phase string, bothHadOutage bool, a, b Cell) bool {
	switch {
	case !slices.Contains(transitions, phase):
		return a.same(b)
	case a.Band == Few || b.Band == Few || phase == recovering && bothHadOutage:
		return true
	}
	return feltScale.same(a.Answered, b.Answered, float64(min(a.Offered, b.Offered)))
}

func sideOf(r *result.Result) Side {
	return Side{
		RunID: r.RunID, Scenario: r.Scenario, Arm: r.Arm, Fallback: r.Fallback, Topology: r.Topology,
		Valid: r.Valid, Partial: r.Partial,
	}
}

// namesOf lists the journeys of both in the order shown.
func namesOf(results ...*result.Result) []string {
	var all []map[string]result.Journey
	for _, r := range results {
		for i := range r.Phases {
			all = append(all, r.Phases[i].Journeys)
		}
	}
	return result.NamesIn(all...)
}

// phasesOf lists the phases of the first, and then those that only the second
// has.
func phasesOf(a, b []Phase) []string {
	var names []string
	for _, p := range slices.Concat(a, b) {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

func find(phases []Phase, name string) (Phase, bool) {
	i := slices.IndexFunc(phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		return Phase{}, false
	}
	return phases[i], true
}

// cellIn is a journey's cell in a phase; one that is not there is of too few.
func cellIn(p Phase, journey string) Cell {
	if c, ok := p.Cells[journey]; ok {
		return c
	}
	return Cell{Band: Few}
}
