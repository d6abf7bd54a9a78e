package report

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"

	"breakbank/bench/chart"
	"breakbank/bench/result"
)

// pageView is the whole page.
type pageView struct {
	Style    template.CSS
	Title    string
	Runs     []runView
	Compared []comparedView // One row an arm, when there are several.
	Cautions []string       // Why the rows should not be compared.
	Legend   []legendItem
	States   []legendItem
}

type legendItem struct{ Class, Text string }

// comparedView is an arm in the comparison.
type comparedView struct {
	Arm, Full, Partial, Failed, Unanswered, StoodIn, Minutes, Books, Verdict string
	FullWidth, PartialWidth                                                  template.CSS
}

// runView is one result.
type runView struct {
	Arm, Anchor, Headline string
	Facts                 []fact
	Verdict               string
	VerdictClass          string
	Reasons               []string
	Illustrative          []string
	Tiles                 []fact
	Ticks                 []tick
	Phases                []phaseMark
	Steps                 []stepMark
	Journeys              []journeyView
	Routers               []routerView
	Table                 []phaseRow
	JourneyNames          []string
	Expectations          []expectationView
	Faults                []result.Fault
	Checks                []result.Check
	AuditRan              bool
	Impact                []fact
	Environment           []fact
	Command               string
}

type fact struct{ Name, Value, Note string }

type tick struct {
	Left template.CSS
	Text string
}

type phaseMark struct {
	Left, Width template.CSS
	Name        string
	Odd         bool
	Wide        bool
}

type stepMark struct {
	Left  template.CSS
	X     string
	N     int
	Clock string
	Text  string
}

type journeyView struct {
	Name   string
	Served string
	Peak   int64
	Layers []layer
	P50    string
	P99    string
	Steps  []stepMark
}

type routerView struct {
	Node string
	// Behind is the most that its table was behind etcd; "" if it never was.
	Behind string
	Bands  []band
}

type phaseRow struct {
	Name, Clock, Seconds string
	Cells                []cell
}

// cell is a journey in a phase: how much was served, and by whom.
type cell struct {
	Served, Degraded, Title, Class string
}

type expectationView struct {
	Phase, Journey, Expected, Observed string
	Seen                               bool
}

func newPage(results []*result.Result) pageView {
	p := pageView{
		Style: template.CSS(chart.Style + style),
		Title: "breakbank: " + results[0].Scenario,
		Legend: []legendItem{
			{"ok", "ok"},
			{"degraded", "degraded: a fallback answered"},
			{"declined", "declined: a correct no"},
			{"failed", "failed"},
			{"unknown", "unknown: a write without an answer"},
		},
		States: []legendItem{
			{"live", "live: what etcd says"},
			{"stale", "stale: older than etcd"},
			{"poisoned", "poisoned: cannot read the list"},
			{"waiting", "waiting for its first table"},
			{"down", "down: does not run"},
		},
	}
	for _, r := range results {
		p.Runs = append(p.Runs, newRun(r))
	}
	if len(results) > 1 {
		c := result.Compare(results)
		p.Compared, p.Cautions = compare(c), c.Cautions
	}
	return p
}

// compare shows a comparison; the longest outage fills the width of its bar.
func compare(c result.Comparison) []comparedView {
	longest := 1.0
	for _, r := range c.Rows {
		longest = max(longest, r.FullOutageS+r.PartialOutageS)
	}
	width := func(s float64) template.CSS { return template.CSS(fmt.Sprintf("%.1f%%", 100*s/longest)) }
	var rows []comparedView
	for _, r := range c.Rows {
		rows = append(rows, comparedView{
			Arm: r.Arm, Full: seconds(r.FullOutageS), Partial: seconds(r.PartialOutageS),
			Failed: count(r.PaymentsFailed), Unanswered: count(r.PaymentsUnanswered), StoodIn: count(r.PaymentsStoodIn),
			Minutes: count(int64(math.Round(r.CustomerMinutesLost))),
			Books:   books(r.Audited, r.BooksBalance), Verdict: verdict(r.Valid, r.Partial, r.Illustrative),
			FullWidth: width(r.FullOutageS), PartialWidth: width(r.PartialOutageS),
		})
	}
	return rows
}

func newRun(r *result.Result) runView {
	s := runScale(r)
	v := runView{
		Arm: r.Arm, Anchor: "arm-" + r.Arm, Headline: headline(r),
		Verdict: verdict(r.Valid, r.Partial, r.Illustrative), VerdictClass: "bad", Reasons: r.InvalidReasons,
		Illustrative: r.IllustrativeReasons, JourneyNames: spaced(r.JourneyNames()),
		Faults: r.Faults, Checks: r.Audit.Checks, AuditRan: r.Audit.Ran,
		Facts: []fact{
			{Name: "scenario", Value: r.Scenario},
			{Name: "fallback", Value: r.Fallback},
			{Name: "rate", Value: fmt.Sprintf("%.0f/s", r.RatePerS)},
			{Name: "pace", Value: fmt.Sprintf("%.0f×", r.Pace)},
			{Name: "seed", Value: fmt.Sprint(r.Seed)},
			{Name: "schedule", Value: short(r.ScheduleSHA256)},
		},
		Tiles: tiles(r), Ticks: ticks(r, s), Phases: phaseMarks(r, s), Steps: stepMarks(r, s),
		Table: phaseRows(r), Impact: impact(r), Environment: environment(r), Command: commandLine(r),
	}
	if r.Valid {
		v.VerdictClass = "good"
	}
	if r.Customers != "" {
		v.Facts = append(v.Facts, fact{Name: "customers", Value: r.Customers})
	}
	if len(r.Without) > 0 {
		v.Facts = append(v.Facts, fact{Name: "without", Value: strings.Join(r.Without, ", ")})
	}
	for _, j := range r.JourneyNames() {
		v.Journeys = append(v.Journeys, newJourney(r, j, s, v.Steps))
	}
	for _, node := range nodes(r) {
		v.Routers = append(v.Routers, newRouter(r, node, s))
	}
	for _, e := range r.Expectations {
		v.Expectations = append(v.Expectations, expectationView{
			Phase: spacedName(e.Phase), Journey: spacedName(e.Journey), Expected: e.Expected,
			Observed: observed(e), Seen: e.Seen,
		})
	}
	return v
}

// runScale is the time axis that all pictures of a run share.
func runScale(r *result.Result) chart.Scale {
	if n := len(r.Series); n > 0 {
		return chart.Scale{From: r.Series[0].TS, To: r.Series[n-1].TS + 1}
	}
	return chart.Scale{}
}

func newJourney(r *result.Result, journey string, s chart.Scale, steps []stepMark) journeyView {
	var total result.Counts
	for _, second := range r.Series {
		total = total.Plus(second.Journeys[journey].Counts)
	}
	v := journeyView{Name: spacedName(journey), Served: share(total.Good()), Steps: steps}
	v.Layers, v.Peak = stack(r.Series, journey, s)
	v.P50 = latencyLine(r.Series, journey, s, func(l result.Latency) *float64 { return l.P50 })
	v.P99 = latencyLine(r.Series, journey, s, func(l result.Latency) *float64 {
		if l.P99 != nil {
			return l.P99
		}
		return l.Max
	})
	return v
}

func newRouter(r *result.Result, node string, s chart.Scale) routerView {
	v := routerView{Node: node, Bands: bands(r.Series, node, s)}
	var oldestMs int64
	for _, b := range v.Bands {
		oldestMs = max(oldestMs, b.ageMs)
	}
	if oldestMs > 0 {
		v.Behind = seconds(float64(oldestMs) / 1000)
	}
	return v
}

func phaseMarks(r *result.Result, s chart.Scale) []phaseMark {
	var marks []phaseMark
	for i, p := range r.Phases {
		width := (s.X(p.ToS) - s.X(p.FromS)) / chart.Width * 100
		marks = append(marks, phaseMark{
			Left: s.Percent(p.FromS), Width: template.CSS(fmt.Sprintf("%.2f%%", width)),
			Name: spacedName(p.Name), Odd: i%2 == 1, Wide: width > 7,
		})
	}
	return marks
}

// stepMarks numbers the steps of the script in the order they were taken.
func stepMarks(r *result.Result, s chart.Scale) []stepMark {
	var marks []stepMark
	for _, e := range r.Timeline {
		if e.Kind == result.EventStep {
			marks = append(marks, stepMark{
				Left: s.Percent(e.TS), X: fmt.Sprintf("%.1f", s.X(e.TS)),
				N: len(marks) + 1, Clock: e.Clock, Text: e.Text,
			})
		}
	}
	return marks
}

// ticks labels the time axis with the incident's clock, at most eight times.
func ticks(r *result.Result, s chart.Scale) []tick {
	const most = 8
	var clocked []result.Second
	for _, second := range r.Series {
		if strings.Contains(second.Clock, ":") {
			clocked = append(clocked, second)
		}
	}
	var all []tick
	every := max(1, (len(clocked)+most-1)/most)
	for i := 0; i < len(clocked); i += every {
		clock := clocked[i].Clock
		if len(clock) > len("14:10") {
			clock = clock[:len("14:10")]
		}
		all = append(all, tick{Left: s.Percent(clocked[i].TS + 1), Text: clock})
	}
	return all
}

func phaseRows(r *result.Result) []phaseRow {
	var rows []phaseRow
	for _, p := range r.Phases {
		row := phaseRow{Name: spacedName(p.Name), Clock: p.ClockFrom, Seconds: seconds(p.Seconds())}
		for _, j := range r.JourneyNames() {
			row.Cells = append(row.Cells, newCell(p.Journeys[j]))
		}
		rows = append(rows, row)
	}
	return rows
}

func newCell(j result.Journey) cell {
	if j.Offered == 0 {
		return cell{Served: "–", Class: "none", Title: "nothing was decided in this phase"}
	}
	c := cell{
		Served: share(j.Good()),
		Title: fmt.Sprintf("%d offered: %d ok, %d degraded, %d declined, %d failed, %d unknown",
			j.Offered, j.OK, j.Degraded, j.Declined, j.Failed, j.Unknown),
	}
	if j.Degraded > 0 {
		c.Degraded = "+ " + share(j.DegradedShare()) + " degraded"
	}
	switch good := j.Good(); {
	case good >= 0.99:
		c.Class = "served"
	case good >= 0.05:
		c.Class = "partial"
	case j.Answered() >= 0.5:
		c.Class = "fallback"
	default:
		c.Class = "out"
	}
	return c
}

func nodes(r *result.Result) []string {
	seen := map[string]bool{}
	for _, second := range r.Series {
		for _, point := range second.Routers {
			seen[point.Node] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
