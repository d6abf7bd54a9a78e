package strategies

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"breakbank/bench/chart"
	"breakbank/bench/sim"
)

// pageView is the whole page.
type pageView struct {
	Style        template.CSS
	Lead         string
	Verdict      string
	VerdictClass string
	Facts        []fact
	Reasons      []string
	Grid         template.CSS // columns of the matrix of pictures
	LatencyWords string
	Failed       []failedClass
	Columns      []columnView
	Rows         []rowView
	Tables       []tableView
	Costs        []fact
	Environment  []fact
	Command      string
}

type fact struct{ Name, Value string }

// columnView is a scenario above its pictures.
type columnView struct {
	Name, About, Watched string
	Ticks                []tick
}

type tick struct {
	Left template.CSS
	Text string
}

// rowView is a strategy beside its pictures.
type rowView struct {
	Name, About string
	Oracle      bool
	Cells       []cellView
}

// tableView is the figures of a scenario.
type tableView struct {
	Name, About string
	Columns     []string
	Rows        []tableRow
}

type tableRow struct {
	Name   string
	Oracle bool
	Cells  []string
}

func newPage(r *Result) pageView {
	m := r.Model
	p := pageView{
		Style:   template.CSS(chart.Style + style),
		Lead:    fmt.Sprintf("%d strategies meet the same requests in %d scenarios: %d instances behind %d routers, none of which sees what the others have sent.", len(r.Strategies), len(r.Scenarios), m.Endpoints, m.Routers),
		Verdict: verdict(r), VerdictClass: "good",
		Facts: []fact{
			{"instances", strconv.Itoa(m.Endpoints)},
			{"routers", strconv.Itoa(m.Routers)},
			{"rate", fmt.Sprintf("%g/s, %.0f %% used", r.RatePerS, 100*m.Utilization)},
			{"service time", fmt.Sprintf("%s, mean %g ms", m.Service, m.ServiceMeanMs)},
			{"queue", fmt.Sprintf("%s, %d at once", m.Queue, m.Workers)},
			{"patience", fmt.Sprintf("%g ms", m.PatienceMs)},
			{"ejection", onOff(m.Ejection != nil)},
			{"runs", strconv.Itoa(r.Runs)},
			{"seed", strconv.FormatUint(r.Seed, 10)},
		},
		Reasons:      append(append([]string{}, r.InvalidReasons...), r.IllustrativeReasons...),
		Grid:         template.CSS(fmt.Sprintf("grid-template-columns: 116px repeat(%d, minmax(118px, 1fr))", len(r.Scenarios))),
		LatencyWords: latencyWords(m), Failed: failedClasses, Command: strings.Join(append([]string{"breakbank"}, r.Environment.Flags...), " "),
	}
	if !r.Valid {
		p.VerdictClass = "bad"
	}
	for _, s := range r.Scenarios {
		p.Columns = append(p.Columns, columnView{s.Name, s.About, s.Watched, ticks(s)})
		p.Tables = append(p.Tables, newTable(r, s))
	}
	for _, s := range r.ordered() {
		row := rowView{Name: s.Name, About: s.About, Oracle: s.Name == sim.Oracle}
		for _, scenario := range r.Scenarios {
			row.Cells = append(row.Cells, newCell(r, scenario, r.cell(s.Name, scenario.Name)))
		}
		p.Rows = append(p.Rows, row)
		p.Costs = append(p.Costs, fact{s.Name, fmt.Sprintf("%.0f ns", s.DecisionWallNs)})
	}
	e := r.Environment
	p.Environment = []fact{
		{"machine", fmt.Sprintf("%s, %d cores, %.0f GiB", e.Machine, e.Cores, e.MemoryGiB)},
		{"system", fmt.Sprintf("%s/%s, kernel %s", e.OS, e.Arch, e.Kernel)},
		{"Go", e.Go},
		{"commit", e.Commit},
		{"started", e.StartedUTC},
	}
	return p
}

// ticks are the beginning, what happens, and the end.
func ticks(s Scenario) []tick {
	scale := chart.Scale{To: s.LengthS}
	var all []tick
	for _, at := range []float64{0, s.HarmS, s.OverS, s.LengthS} {
		if at > 0 || len(all) == 0 {
			all = append(all, tick{scale.Percent(at), fmt.Sprintf("%g", at)})
		}
	}
	all[len(all)-1].Text += " s"
	return all
}

func newTable(r *Result, s Scenario) tableView {
	t := tableView{Name: s.Name, About: s.About, Columns: columns[1:]}
	for _, strategy := range r.ordered() {
		if c := r.cell(strategy.Name, s.Name); c != nil {
			t.Rows = append(t.Rows, tableRow{strategy.Name, strategy.Name == sim.Oracle, row(c, strategy, s)[1:]})
		}
	}
	return t
}
