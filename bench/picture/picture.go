// Package picture says what a replay looked like, coarsely: in which phase which
// journeys were well, and who answered. Two replays of one scenario that tell the
// same story have the same picture, though no figure of theirs is the same.
//
// It is pure.
package picture

import (
	"math"

	"breakbank/bench/result"
)

// Band is how a journey fared in a phase, by the share that got a decision: ok,
// a correct business no, or an answer of a fallback.
type Band string

// The bands. Few is no band: too few were decided to tell.
const (
	Dead    Band = "dead"    // < 5 %
	Failing Band = "failing" // < 50 %
	Partial Band = "partial" // < 99 %
	Well    Band = "well"    // ≥ 99 %
	Few     Band = "few"
)

// Source is who gave the decisions, by the share of them that was a fallback's.
type Source string

// The sources. Nobody is that of journeys that are dead or too few.
const (
	Primary Source = "primary"  // < 5 % by a fallback
	Both    Source = "both"     // < 95 %
	Other   Source = "fallback" // ≥ 95 %
	Nobody  Source = ""
)

// scale is bands in order, with the bounds between them.
type scale[B ~string] struct {
	bands  []B
	bounds []bound
}

// bound is where a band ends and the next begins. Two shares on either side of it
// are told apart only if they are further apart than so much.
type bound struct{ at, apart float64 }

var (
	// Replays of one arm and one schedule were seen to differ by a point at most
	// in phases that hold still, by some ten where a phase is all transition, as
	// recovering is.
	bandScale = scale[Band]{
		bands:  []Band{Dead, Failing, Partial, Well},
		bounds: []bound{{0.05, 0.05}, {0.50, 0.15}, {0.99, 0.02}},
	}
	feltScale = scale[Band]{
		bands:  []Band{Partial, Well},
		bounds: []bound{{0.99, 0.02}},
	}
	sourceScale = scale[Source]{
		bands:  []Source{Primary, Both, Other},
		bounds: []bound{{0.05, 0.05}, {0.95, 0.05}},
	}
)

// of is the band of a share.
func (s scale[B]) of(share float64) B {
	for i, b := range s.bounds {
		if share < b.at {
			return s.bands[i]
		}
	}
	return s.bands[len(s.bands)-1]
}

// same says whether two shares, the smaller sample of which has so many, may be
// of one band.
func (s scale[B]) same(a, b, of float64) bool {
	low, high := min(a, b), max(a, b)
	for _, bound := range s.bounds {
		if low < bound.at && high >= bound.at && high-low > max(bound.apart, bound.byChance(of))+rounding {
			return false
		}
	}
	return true
}

// byChance is how far the share of so many may be off and tell nothing: three
// standard deviations of a share that is the bound, and three journeys at least.
func (b bound) byChance(of float64) float64 {
	const deviations = 3
	return deviations * max(1, math.Sqrt(of*b.at*(1-b.at))) / of
}

// rounding forgives what floating point adds to a difference of shares.
const rounding = 1e-9

// countMin is how many journeys a phase must hold for a band: with fewer, one
// that fails by chance is more than two percent.
const countMin = 50

// Cell is how one journey fared in one phase.
type Cell struct {
	Band   Band   `json:"band"`
	Source Source `json:"source,omitempty"`
	// Offered is how many were decided, Answered the share of them, 0 to 1, that
	// got a decision, Fallback the share of those that a fallback gave.
	Offered  int64   `json:"offered"`
	Answered float64 `json:"answered"`
	Fallback float64 `json:"fallback"`
}

// cellOf is the cell of counts.
func cellOf(c result.Counts) Cell {
	cell := Cell{Band: Few, Offered: c.Offered, Answered: c.Answered()}
	if answered := c.OK + c.Declined + c.Degraded; answered > 0 {
		cell.Fallback = float64(c.Degraded) / float64(answered)
	}
	if c.Offered < countMin {
		return cell
	}
	if cell.Band = bandScale.of(cell.Answered); cell.Band != Dead {
		cell.Source = sourceScale.of(cell.Fallback)
	}
	return cell
}

// String is the cell in words, short.
func (c Cell) String() string {
	switch c.Source {
	case Both:
		return string(c.Band) + ", part fallback"
	case Other:
		return string(c.Band) + ", fallback"
	}
	return string(c.Band)
}

// same says whether two cells tell the same. Where one has too few, there is
// nothing to tell.
func (c Cell) same(d Cell) bool {
	if c.Band == Few || d.Band == Few {
		return true
	}
	if !bandScale.same(c.Answered, d.Answered, float64(min(c.Offered, d.Offered))) {
		return false
	}
	// Who gave the answers means something where there are enough.
	answers := min(c.Answered*float64(c.Offered), d.Answered*float64(d.Offered))
	return answers < countMin || sourceScale.same(c.Fallback, d.Fallback, answers)
}

// Phase is a row of a picture.
type Phase struct {
	Name string `json:"name"`
	// Cells are by journey.
	Cells map[string]Cell `json:"cells"`
}

// Of is the picture of a replay, its phases in order.
func Of(r *result.Result) []Phase {
	phases := make([]Phase, 0, len(r.Phases))
	for _, p := range r.Phases {
		cells := make(map[string]Cell, len(p.Journeys))
		for name, j := range p.Journeys {
			cells[name] = cellOf(j.Counts)
		}
		phases = append(phases, Phase{Name: p.Name, Cells: cells})
	}
	return phases
}
