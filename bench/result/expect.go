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
	// ByEntry takes the measure of those who enter at each edge node by itself,
	// and of the three the mean: as many customers enter at each. The share of
	// all of a small sample says also at which edges the customers happened to
	// be, and, as those who wait for a dead router are decided late, how long
	// the phase was: in nine replays of monzo-2017-short it was 58 to 76 % of
	// 34 to 49 degraded taps where 65 to 67 % of an entry were, on average.
	ByEntry bool
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
	switch {
	case e.Entry != AnyEntry:
		return fmt.Sprintf("%s %s of those who enter at %s", bound, e.Measure, e.Entry)
	case e.ByEntry:
		return bound + " " + string(e.Measure) + byEntry
	}
	return bound + " " + string(e.Measure)
}

const byEntry = ", each entry alike"

// tally is what was decided of a journey, by the zone that the customer enters in.
type tally [zones]Counts

func (t *tally) all() Counts {
	var sum Counts
	for _, c := range t {
		sum = sum.Plus(c)
	}
	return sum
}

// share is the measure of what was decided. With ByEntry an entry of which
// nothing was decided counts as 0.
func (e Expect) share(t *tally) float64 {
	if !e.ByEntry {
		return e.shareOf(t.all())
	}
	var sum float64
	for _, c := range t {
		sum += e.shareOf(c)
	}
	return sum / zones
}

func (e Expect) shareOf(c Counts) float64 {
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

// zones are those of the edge nodes a1, b1 and c1.
const zones = 3

func entryOf(r *loadgen.Record) int { return r.Customer % zones }

func (e Expect) holds(r *loadgen.Record) bool {
	const zoneC = 2
	return e.Entry == AnyEntry || (e.Entry == AtC1) == (entryOf(r) == zoneC)
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
		var tallies [customers.JourneyCount]tally
		var all int64
		begun := [customers.JourneyCount]int{}
		for k := range records {
			r := &records[k]
			if spanAt(spans, doneS(r)) == i && e.holds(r) {
				tallies[r.Journey][entryOf(r)].Add(r.Outcome)
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
			if tallies[j].all().Offered > 0 || hung(begun[j], spans[i]) || !tooShort {
				checks = append(checks, e.check(j, &tallies[j], hung(begun[j], spans[i])))
			}
		}
	}
	return checks
}

// check judges a journey by what was decided, or, where nothing was, by whether
// all of it hung.
func (e Expect) check(j loadgen.Journey, t *tally, hung bool) Expectation {
	c, share := t.all(), e.share(t)
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
	var in, before [customers.JourneyCount]tally
	for i := range records {
		r := &records[i]
		if !e.holds(r) {
			continue
		}
		switch spans[spanAt(spans, doneS(r))].Name {
		case e.Phase:
			in[r.Journey][entryOf(r)].Add(r.Outcome)
		case e.Below:
			before[r.Journey][entryOf(r)].Add(r.Outcome)
		}
	}
	var checks []Expectation
	for j := range loadgen.Journey(customers.JourneyCount) {
		offered := in[j].all().Offered
		tooFew := min(offered, before[j].all().Offered) < windowJourneys
		if tooFew || e.Journeys != nil && !slices.Contains(e.Journeys, j) {
			continue
		}
		share, bound := e.share(&in[j]), e.share(&before[j])
		expected := fmt.Sprintf("less %s than in %s, %.1f %%", e.Measure, e.Below, bound*100)
		if e.ByEntry {
			expected += byEntry
		}
		checks = append(checks, Expectation{
			Phase: e.Phase, Journey: customers.Journeys[j].Name, Expected: expected,
			Observed: share, Offered: offered, Seen: share < bound,
		})
	}
	return checks
}
