package strategies

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"breakbank/bench/sim"
	"breakbank/bench/stats"
)

// badFailedShare is the share of failed requests that a table shows in red.
const badFailedShare = 0.01

// columns of a scenario's table.
var columns = []string{"strategy", "p50", "p99 ms", "p99.9", "× oracle", "failed %", "max/mean", "cv", "share", "back s", "ns"}

const failedColumn = 5

// Text is the result as one reads it in a terminal: a table a scenario.
// Colours are for terminals only.
func Text(r *Result, colours bool) string {
	var b strings.Builder
	m := r.Model
	fmt.Fprintf(&b, "%d instances (%s, %d at once, %s, mean %g ms), %d routers, %g/s: %.0f %% used; %d runs each; ejection %s\n",
		m.Endpoints, m.Queue, m.Workers, m.Service, m.ServiceMeanMs, m.Routers, r.RatePerS, 100*m.Utilization, r.Runs, onOff(m.Ejection != nil))
	for _, s := range r.Scenarios {
		fmt.Fprintf(&b, "\n%s: %s\n%s\n", s.Name, s.About, scenarioTable(r, s, colours))
	}
	b.WriteString("\n" + key(r) + verdict(r) + "\n")
	for _, reason := range append(append([]string{}, r.InvalidReasons...), r.IllustrativeReasons...) {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	return b.String()
}

// key says what the columns are.
func key(r *Result) string {
	return fmt.Sprintf(`p50 to p99.9  arrival to end, failures included, given up at %g ms; (95 %% interval over runs)
× oracle      p99 as a multiple of that of %s, which sees every queue
max/mean, cv  how unequal the instances' requests were, for their capacity
share         traffic of the watched instances, 1 being an equal share
back s        from the harm until the watched instances hurt under 1 %% of all requests; -: no such moment
ns            wall time, on this machine, of a request's decision; all else is virtual
`, r.Model.PatienceMs, sim.Oracle)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func verdict(r *Result) string {
	words := "VALID"
	if !r.Valid {
		words = "INVALID"
	}
	if r.Partial {
		words += ", partial"
	}
	return words + ", illustrative"
}

func scenarioTable(r *Result, s Scenario, colours bool) string {
	var cells []Cell
	t := table.New().Border(lipgloss.NormalBorder()).BorderRow(false).BorderColumn(false).
		BorderLeft(false).BorderRight(false).BorderTop(false).BorderBottom(false).Headers(columns...)
	for _, strategy := range r.ordered() {
		c := r.cell(strategy.Name, s.Name)
		if c == nil {
			continue
		}
		cells = append(cells, *c)
		t.Row(row(c, strategy, s)...)
	}
	return t.StyleFunc(func(row, column int) lipgloss.Style {
		style := lipgloss.NewStyle().PaddingRight(2)
		if column > 0 {
			style = style.Align(lipgloss.Right)
		}
		if !colours || row < 0 {
			return style
		}
		switch c := cells[row]; {
		case c.Strategy == sim.Oracle:
			style = style.Faint(true)
		case column == failedColumn && c.FailedShare.Value > badFailedShare:
			style = style.Foreground(lipgloss.Red)
		}
		return style
	}).String()
}

func row(c *Cell, strategy Strategy, s Scenario) []string {
	return []string{
		c.Strategy, millis(c.P50Ms), interval(c.P99Ms, significant), millis(c.P999Ms), number(c.P99ToOracle, "%.1f"),
		interval(&c.FailedShare, percent), fmt.Sprintf("%.1f", c.MaxToMean.Value), fmt.Sprintf("%.2f", c.CV.Value),
		fmt.Sprintf("%.2f", c.WatchedShare.Value), back(c, s), fmt.Sprintf("%.0f", strategy.DecisionWallNs),
	}
}

// ordered is the strategies in the order of their table, the oracle last.
func (r *Result) ordered() []Strategy {
	var list, bound []Strategy
	for _, s := range r.Strategies {
		if s.Name == sim.Oracle {
			bound = append(bound, s)
		} else {
			list = append(list, s)
		}
	}
	return append(list, bound...)
}

// cell finds a cell, nil if it has no run.
func (r *Result) cell(strategy, scenario string) *Cell {
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Strategy == strategy && c.Scenario == scenario {
			return c
		}
	}
	return nil
}

// back says when the watched instances stopped hurting.
func back(c *Cell, s Scenario) string {
	switch {
	case s.HarmS == 0:
		return "-"
	case c.RecoverS == nil:
		return "not in " + strconv.FormatFloat(s.LengthS-s.HarmS, 'f', -1, 64)
	}
	return fmt.Sprintf("%.0f", c.RecoverS.Value)
}

func millis(e *stats.Estimate) string {
	if e == nil {
		return "too few"
	}
	return significant(e.Value)
}

func number(e *stats.Estimate, format string) string {
	if e == nil {
		return "-"
	}
	return fmt.Sprintf(format, e.Value)
}

// interval is an estimate with its interval.
func interval(e *stats.Estimate, of func(float64) string) string {
	if e == nil {
		return "too few"
	}
	return fmt.Sprintf("%s (%s–%s)", of(e.Value), of(e.Low), of(e.High))
}

// significant rounds to three digits, which is what histograms are good for.
func significant(v float64) string {
	if v <= 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-2)
	return strconv.FormatFloat(math.Round(v/unit)*unit, 'f', max(0, -int(math.Round(math.Log10(unit)))), 64)
}

// percent is a share in %, never rounded to nothing if it is something.
func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0:
		return "0"
	case p < 0.01:
		return "<0.01"
	case p < 10:
		return fmt.Sprintf("%.2f", p)
	default:
		return fmt.Sprintf("%.1f", p)
	}
}
