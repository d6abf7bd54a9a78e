package result

import (
	"slices"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// The bounds of an outage (measurement.md, "Impact").
const (
	fullBelow    = 0.05
	partialBelow = 0.99
	// windowJourneys is what a window must hold before it may be judged: with
	// fewer than a hundred, one failure would be a partial outage.
	windowJourneys = 100
	windowStepS    = 1.0
)

// window is a stretch of time and how one journey fared in it.
type window struct {
	FromS, ToS float64
	Counts     Counts
}

// windowsOf cuts a span for one journey, from its records decided there, in the
// order of decision: each window grows by a second until it holds 100 journeys
// or the span ends; a last one that holds fewer joins the one before it. A
// window never reaches over spans.
//
//	span     |-------------------------------|
//	journeys  40  40  40  90  20   5
//	windows  |-----------|-------------------|
func windowsOf(records []loadgen.Record, span Span) []window {
	var windows []window
	next := 0
	for from := span.FromS; from < span.ToS; {
		w := window{FromS: from, ToS: from}
		for w.ToS < span.ToS && w.Counts.Offered < windowJourneys {
			w.ToS = min(w.ToS+windowStepS, span.ToS)
			for next < len(records) && (doneS(&records[next]) < w.ToS || w.ToS >= span.ToS) {
				w.Counts.Add(records[next].Outcome)
				next++
			}
		}
		if last := len(windows) - 1; last >= 0 && w.Counts.Offered < windowJourneys {
			windows[last].ToS = w.ToS
			windows[last].Counts = windows[last].Counts.Plus(w.Counts)
		} else {
			windows = append(windows, w)
		}
		from = w.ToS
	}
	return windows
}

// level is how bad a stretch was.
type level int

const (
	fine level = iota
	partial
	full
)

func levelOf(share float64) level {
	switch {
	case share < fullBelow:
		return full
	case share < partialBelow:
		return partial
	}
	return fine
}

// outage is a stretch in which the same journeys were out in the same way.
type outage struct {
	FromS, ToS float64
	// good and answered hold each journey's level; a journey of which too few
	// were under way in the phase to be judged is absent.
	good, answered map[loadgen.Journey]level
}

// outagesOf judges each moment of the run, journey by journey, from records in
// the order of decision. The stretches are in order and cover all spans.
func outagesOf(records []loadgen.Record, spans []Span) []outage {
	byCell := make(map[cell][]loadgen.Record)
	begun := make(map[cell]int)
	for i := range records {
		at := cell{spanAt(spans, doneS(&records[i])), records[i].Journey}
		byCell[at] = append(byCell[at], records[i])
		begun[cell{spanAt(spans, intendedS(&records[i])), records[i].Journey}]++
	}
	var outages []outage
	for i, span := range spans {
		windows := make(map[loadgen.Journey][]window)
		cuts := []float64{span.FromS, span.ToS}
		for j := range loadgen.Journey(customers.JourneyCount) {
			mine := byCell[cell{i, j}]
			if len(mine) == 0 && !hung(begun[cell{i, j}], span) {
				continue
			}
			windows[j] = windowsOf(mine, span)
			for _, w := range windows[j] {
				cuts = append(cuts, w.ToS)
			}
		}
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
		for k := 1; k < len(cuts); k++ {
			outages = append(outages, judge(cuts[k-1], cuts[k], windows))
		}
	}
	return outages
}

// hung says whether a phase in which none of a kind was decided, though so many
// were begun, means that all of them hung, and not that the phase was short.
func hung(begun int, span Span) bool {
	return begun >= expectedMin && span.ToS-span.FromS >= windowStepS
}

type cell struct {
	span    int
	journey loadgen.Journey
}

// judge gives each journey the level of the window that the stretch lies in.
func judge(fromS, toS float64, windows map[loadgen.Journey][]window) outage {
	o := outage{
		FromS: fromS, ToS: toS,
		good: make(map[loadgen.Journey]level), answered: make(map[loadgen.Journey]level),
	}
	for journey, all := range windows {
		for _, w := range all {
			if w.FromS <= fromS && fromS < w.ToS {
				o.good[journey] = levelOf(w.Counts.Good())
				o.answered[journey] = levelOf(w.Counts.Answered())
			}
		}
	}
	return o
}

// overall is full when every journey judged is, partial when any is not fine.
func overall(levels map[loadgen.Journey]level) level {
	if len(levels) == 0 {
		return fine
	}
	lowest, highest := full, fine
	for _, l := range levels {
		lowest, highest = min(lowest, l), max(highest, l)
	}
	switch {
	case lowest == full:
		return full
	case highest > fine:
		return partial
	}
	return fine
}
