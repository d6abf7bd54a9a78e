package result

import (
	"fmt"
	"slices"
	"strings"
)

// Compared is what a comparison of arms shows of one run. What failed and what
// got no answer are apart: the first is known not to have happened.
type Compared struct {
	Arm      string
	Fallback string

	FullOutageS    float64
	PartialOutageS float64

	PaymentsFailed     int64
	PaymentsUnanswered int64
	PaymentsStoodIn    int64

	CustomerMinutesLost float64
	OverspendMinor      int64

	// Audited and BooksBalance are Audit.Ran and Audit.Passed.
	Audited, BooksBalance        bool
	Valid, Partial, Illustrative bool
}

// Comparison sets runs of several arms side by side. It does not rank them: a
// single run of each is no statistic.
type Comparison struct {
	// Rows has a row for each result, in the order given.
	Rows []Compared
	// Cautions say, a line each, why rows should not be compared; none, if
	// nothing speaks against it.
	Cautions []string
}

// Compare makes a row of each result, and holds each against the first.
func Compare(results []*Result) Comparison {
	c := Comparison{Rows: make([]Compared, 0, len(results)), Cautions: []string{}}
	for _, r := range results {
		im := r.Impact
		c.Rows = append(c.Rows, Compared{
			Arm: r.Arm, Fallback: r.Fallback, FullOutageS: im.FullOutageS, PartialOutageS: im.PartialOutageS,
			PaymentsFailed: im.PaymentsFailed, PaymentsUnanswered: im.PaymentsUnknown, PaymentsStoodIn: im.PaymentsStoodIn,
			CustomerMinutesLost: im.CustomerMinutesLost, OverspendMinor: im.OverspendMinor,
			Audited: r.Audit.Ran, BooksBalance: r.Audit.Passed,
			Valid: r.Valid, Partial: r.Partial, Illustrative: r.Illustrative,
		})
		c.Cautions = append(c.Cautions, cautions(r, results[0])...)
	}
	return c
}

// cautions say why a result should not be compared with the first.
func cautions(r, first *Result) []string {
	var all []string
	because := func(format string, args ...any) {
		all = append(all, r.Arm+" "+fmt.Sprintf(format, args...))
	}
	if r.Scenario != first.Scenario {
		because("played %s, %s played %s", r.Scenario, first.Arm, first.Scenario)
	}
	if how, firstHow := playedHow(r), playedHow(first); how != firstHow {
		because("was played %s, %s %s", how, first.Arm, firstHow)
	}
	if r.Pace != first.Pace {
		because("was played at pace %g, %s at %g", r.Pace, first.Arm, first.Pace)
	}
	if r.ScheduleSHA256 != first.ScheduleSHA256 {
		because("was offered another schedule than %s", first.Arm)
	}
	if !r.Valid {
		because("is INVALID: %s", strings.Join(r.InvalidReasons, "; "))
	}
	return all
}

// playedHow says how much of the script was played.
func playedHow(r *Result) string {
	if len(r.Without) == 0 {
		return "whole"
	}
	return "without " + strings.Join(slices.Sorted(slices.Values(r.Without)), ", ")
}
