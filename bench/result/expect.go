package result

import (
	"fmt"
	"slices"
	"strings"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// Measure is the figure that an expectation bounds.
type Measure string

// The measures.
const (
	// ShareGood, ShareAnswered and ShareDegraded are Counts.Good and its kin.
	ShareGood     Measure = "good"
	ShareAnswered Measure = "answered"
	ShareDegraded Measure = "degraded"
	// ShareLost is failed and unknown.
	ShareLost Measure = "failed or unknown"
)

// Entry narrows an expectation to customers by the edge node they enter at.
type Entry string

// The entries. Customer i enters at a1, b1 or c1, by i modulo 3.
const (
	AnyEntry Entry = ""
	AtC1     Entry = "c1"
	NotAtC1  Entry = "a1 and b1"
)

// Expect is a row of a table of what must be seen: the measure of a journey in
// a phase lies from Low to High, both included.
type Expect struct {
	Phase string
	// Journeys it holds for, each by itself; nil for all.
	Journeys  []loadgen.Journey
	Entry     Entry
	Measure   Measure
	Low, High float64
	// Below names an earlier phase than whose share it must be lower instead,
	// by however little; Low and High do not count then. The row is left out
	// where either phase holds fewer than a hundred of the journey: the shares
	// of so few differ by chance.
	Below string
}

// forgiven is how many journeys either way are no breach of a share in a
// sample under a hundred, where one journey is more than a percent.
const forgiven = 1

func (e Expect) words() string {
	var bound string
	percent := func(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v*100), ".0") + " %" }
	switch {
	case e.Low <= 0 && e.High <= 0:
		bound = "none"
	case e.Low <= 0:
		bound = "≤ " + percent(e.High)
	case e.High >= 1:
		bound = "≥ " + percent(e.Low)
	default:
		bound = percent(e.Low) + " to " + percent(e.High)
	}
	if e.Entry != AnyEntry {
		return fmt.Sprintf("%s %s of those who enter at %s", bound, e.Measure, e.Entry)
	}
	return bound + " " + string(e.Measure)
}

func (e Expect) share(c Counts) float64 {
	switch e.Measure {
	case ShareAnswered:
		return c.Answered()
	case ShareDegraded:
		return c.DegradedShare()
	case ShareLost:
		return c.share(c.Failed + c.Unknown)
	}
	return c.Good()
}

func (e Expect) holds(r *loadgen.Record) bool {
	const zones, zoneC = 3, 2
	atC := r.Customer%zones == zoneC
	return e.Entry == AnyEntry || (e.Entry == AtC1) == atC
}

// expectedMin is how many journeys of a kind a phase must be expected to hold
// before their absence means anything: with ten expected, none comes once in
// e^10 runs.
const expectedMin = 10

// CheckExpectations holds a run against a table. Where nothing of a kind was
// decided though it was begun, all of them hung: no share was good. Rows for
// phases that the run does not have, or that were too short to hold any of the
// kind, are left out.
func CheckExpectations(table []Expect, records []loadgen.Record, spans []Span) []Expectation {
	checks := []Expectation{}
	for _, e := range table {
		i := slices.IndexFunc(spans, func(s Span) bool { return s.Name == e.Phase })
		if i < 0 {
			continue
		}
		if e.Below != "" {
			checks = append(checks, e.checkBelow(records, spans)...)
			continue
		}
		var counts [customers.JourneyCount]Counts
		var all int64
		begun := [customers.JourneyCount]int{}
		for k := range records {
			r := &records[k]
			if spanAt(spans, doneS(r)) == i && e.holds(r) {
				counts[r.Journey].Add(r.Outcome)
				all++
			}
			if spanAt(spans, intendedS(r)) == i && e.holds(r) {
				begun[r.Journey]++
			}
		}
		for j := range loadgen.Journey(customers.JourneyCount) {
			if e.Journeys != nil && !slices.Contains(e.Journeys, j) {
				continue
			}
			tooShort := all*int64(customers.Journeys[j].Weight) < expectedMin*100
			if counts[j].Offered > 0 || hung(begun[j], spans[i]) || !tooShort {
				checks = append(checks, e.check(j, counts[j], hung(begun[j], spans[i])))
			}
		}
	}
	return checks
}

// check judges a journey by what was decided, or, where nothing was, by whether
// all of it hung.
func (e Expect) check(j loadgen.Journey, c Counts, hung bool) Expectation {
	share := e.share(c)
	slack := 0.0
	// "None" means none, however few there were.
	if c.Offered > 0 && c.Offered < windowJourneys && !(e.Low <= 0 && e.High <= 0) {
		slack = forgiven / float64(c.Offered)
	}
	return Expectation{
		Phase: e.Phase, Journey: customers.Journeys[j].Name, Expected: e.words(), Observed: share, Offered: c.Offered,
		Seen: (c.Offered > 0 || hung && e.Measure != ShareLost) && share >= e.Low-slack && share <= e.High+slack,
	}
}

// checkBelow compares the shares of two phases.
func (e Expect) checkBelow(records []loadgen.Record, spans []Span) []Expectation {
	var in, before [customers.JourneyCount]Counts
	for i := range records {
		r := &records[i]
		if !e.holds(r) {
			continue
		}
		switch spans[spanAt(spans, doneS(r))].Name {
		case e.Phase:
			in[r.Journey].Add(r.Outcome)
		case e.Below:
			before[r.Journey].Add(r.Outcome)
		}
	}
	var checks []Expectation
	for j := range loadgen.Journey(customers.JourneyCount) {
		tooFew := min(in[j].Offered, before[j].Offered) < windowJourneys
		if tooFew || e.Journeys != nil && !slices.Contains(e.Journeys, j) {
			continue
		}
		share, bound := e.share(in[j]), e.share(before[j])
		checks = append(checks, Expectation{
			Phase: e.Phase, Journey: customers.Journeys[j].Name, Expected: fmt.Sprintf("less %s than in %s, %.1f %%", e.Measure, e.Below, bound*100),
			Observed: share, Offered: in[j].Offered, Seen: share < bound,
		})
	}
	return checks
}
