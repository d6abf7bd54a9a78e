package strategies

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"breakbank/bench/chart"
	"breakbank/bench/sim"
)

// shareAxis is the axis of the traffic of the watched instances: an equal
// share is in the middle.
var shareAxis = chart.Log{Floor: 1.0 / 10, Ceil: 10}

// cellView is the pictures of a strategy under a scenario: traffic above,
// latency below, a strip of failures under both.
type cellView struct {
	Empty               bool
	Title               string
	Harm                string // the stretch of harm, as a path
	Equal               string // the line of an equal share
	LatencyGrid         string
	Share, P99, Oracle  string
	Strip               []block
	P99Text, FailedText string
	Failing             bool
}

// block is a stretch of the strip of failures.
type block struct {
	Class       string
	Left, Width template.CSS
	from, to    float64
}

// failedClass is a colour of the strip.
type failedClass struct {
	Class, Text string
	above       float64 // share of failed requests
}

// failedClasses from least to most; what is not above the first has no colour.
var failedClasses = []failedClass{
	{"f1", "above 0.1 %", 0.001},
	{"f2", "1 %", 0.01},
	{"f3", "10 %", 0.1},
	{"f4", "50 % failed", 0.5},
}

// newCell draws a cell; one without a run stays empty.
func newCell(r *Result, s Scenario, c *Cell) cellView {
	if c == nil {
		return cellView{Empty: true}
	}
	scale := chart.Scale{To: s.LengthS}
	latency := latencyAxis(r.Model)
	v := cellView{
		Title:       fmt.Sprintf("%s, %s", c.Strategy, s.Name),
		Equal:       chart.Across(shareAxis, 1),
		LatencyGrid: chart.Across(latency, gridMs(r.Model)...),
		Share:       draw(c.Series, scale, shareAxis, func(p Point) *float64 { return &p.WatchedShare }),
		P99:         draw(c.Series, scale, latency, func(p Point) *float64 { return p.P99Ms }),
		Strip:       strip(c.Series, scale),
		P99Text:     millis(c.P99Ms),
		FailedText:  percent(c.FailedShare.Value),
		Failing:     c.FailedShare.Value > badFailedShare,
	}
	if bound := r.cell(sim.Oracle, s.Name); bound != nil && bound != c {
		v.Oracle = draw(bound.Series, scale, latency, func(p Point) *float64 { return p.P99Ms })
	}
	if s.HarmS > 0 {
		until := s.OverS
		if until == 0 {
			until = s.LengthS
		}
		v.Harm = fmt.Sprintf("M%.1f 0H%.1fV%.0fH%.1fZ", scale.X(s.HarmS), scale.X(until), chart.Height, scale.X(s.HarmS))
	}
	return v
}

// draw draws a figure over time, a point in the middle of each second; seconds
// without one break the line.
func draw(series []Point, scale chart.Scale, axis chart.Axis, of func(Point) *float64) string {
	var line chart.Line
	for _, p := range series {
		if v := of(p); v != nil {
			line.To(scale.X(p.TS+sim.BucketLength.Seconds()/2), axis.Y(*v))
		} else {
			line.Break()
		}
	}
	return line.Path()
}

// strip joins seconds with the same class of failures.
func strip(series []Point, scale chart.Scale) []block {
	var all []block
	for _, p := range series {
		class := ""
		for _, f := range failedClasses {
			if p.FailedShare > f.above {
				class = f.Class
			}
		}
		if class == "" {
			continue
		}
		ends := p.TS + sim.BucketLength.Seconds()
		if last := len(all) - 1; last >= 0 && all[last].Class == class && all[last].to == p.TS {
			all[last].to = ends
			continue
		}
		all = append(all, block{Class: class, from: p.TS, to: ends})
	}
	for i := range all {
		all[i].Left, all[i].Width = scale.Percent(all[i].from), scale.Span(all[i].from, all[i].to)
	}
	return all
}

// latencyAxis reaches from the mean service time to what callers bear, and a
// little further, so that a line there is whole.
func latencyAxis(m Model) chart.Log {
	const margin = 1.15
	return chart.Log{Floor: m.ServiceMeanMs / margin, Ceil: m.PatienceMs * margin}
}

// gridMs is the round figures on the axis of latency: 1, 2 and 5 times powers
// of ten.
func gridMs(m Model) []float64 {
	var all []float64
	for decade := math.Pow(10, math.Floor(math.Log10(m.ServiceMeanMs))); decade < m.PatienceMs; decade *= 10 {
		for _, times := range []float64{1, 2, 5} {
			if v := times * decade; v > m.ServiceMeanMs && v < m.PatienceMs {
				all = append(all, v)
			}
		}
	}
	return all
}

func latencyWords(m Model) string {
	var lines []string
	for _, v := range gridMs(m) {
		lines = append(lines, strconv.FormatFloat(v, 'f', -1, 64))
	}
	return fmt.Sprintf("from %g to %g ms, lines at %s", m.ServiceMeanMs, m.PatienceMs, strings.Join(lines, ", "))
}
