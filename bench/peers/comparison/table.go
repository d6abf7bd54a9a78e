package comparison

import (
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/stats"
)

// Table holds samples S of cells C, by block. One goroutine uses it.
type Table[C comparable, S any] struct {
	samples map[C]map[int]S
	// spent is what the machine's cores did in all windows, ours what this run
	// used of it.
	spent machine.Time
	ours  time.Duration
}

// NewTable is a table without samples.
func NewTable[C comparable, S any]() *Table[C, S] {
	return &Table[C, S]{samples: map[C]map[int]S{}}
}

// Add takes a sample in. spent is what the machine did meanwhile, ours what the
// run itself used.
func (t *Table[C, S]) Add(c C, block int, s S, spent machine.Time, ours time.Duration) {
	if t.samples[c] == nil {
		t.samples[c] = map[int]S{}
	}
	t.samples[c][block] = s
	t.spent = t.spent.Plus(spent)
	t.ours += ours
}

// Has says whether there is a sample of a cell.
func (t *Table[C, S]) Has(c C) bool { return len(t.samples[c]) > 0 }

// Of is a cell's samples in the order of their blocks.
func (t *Table[C, S]) Of(c C) []S {
	var list []S
	for block := range BlocksMax {
		if s, there := t.samples[c][block]; there {
			list = append(list, s)
		}
	}
	return list
}

// Pairs hands over the samples of two cells, block by block, where both have one.
func (t *Table[C, S]) Pairs(a, b C, take func(block int, a, b S)) {
	for block := range BlocksMax {
		one, there := t.samples[a][block]
		other, thereToo := t.samples[b][block]
		if there && thereToo {
			take(block, one, other)
		}
	}
}

// Ratio estimates a figure of a cell as a multiple of that of another, block
// against the same block; nil if they have none in common or are the same.
func (t *Table[C, S]) Ratio(c, to C, figure func(S) float64) *stats.Estimate {
	var above, below []float64
	t.Pairs(c, to, func(_ int, a, b S) { above, below = append(above, figure(a)), append(below, figure(b)) })
	if len(above) == 0 || c == to {
		return nil
	}
	e := stats.Ratio(above, below)
	return &e
}

// Conditions are what the samples were taken under.
func (t *Table[C, S]) Conditions(e Environment) Conditions {
	return Conditions{StealShare: t.spent.Steal(), OthersShare: t.spent.Others(t.ours), Environment: e}
}
