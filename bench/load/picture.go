package load

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"breakbank/bench/chart"
	"breakbank/loadgen"
	"breakbank/loadgen/recording"
)

// pictureView is a chart with its axes, whose text is HTML beside the picture.
type pictureView struct {
	Name, Note     string
	Legend         []keyView
	YTicks, XTicks []tickView
	Grid           string
	Areas, Lines   []pathView
}

type (
	keyView  struct{ Class, Text string }
	pathView struct{ Class, Path string }
	tickView struct {
		At   template.CSS
		Text string
	}
)

// columnsMax bounds the points of a line: more than the pixels of a page help
// nobody. Seconds beyond it are drawn several to a point.
const columnsMax = 900

// column is one point in time: so many seconds of the load together.
type column struct {
	fromS, toS float64
	seconds    []Second
}

func columnsOf(r *Result) []column {
	all := shown(r)
	each := max(1, (len(all)+columnsMax-1)/columnsMax)
	var columns []column
	for i := 0; i < len(all); i += each {
		part := all[i:min(i+each, len(all))]
		columns = append(columns, column{float64(part[0].TS), float64(part[len(part)-1].TS + 1), part})
	}
	return columns
}

// strayShare is the share of a mean second below which what was decided after the
// load is not drawn: a few answers that came late would take a second of room.
const strayShare = 0.01

// shown are the seconds that are drawn.
func shown(r *Result) []Second {
	all := r.Seconds
	for len(all) > 0 && float64(all[len(all)-1].TS) >= r.DurationS {
		last := all[len(all)-1]
		decided := last.OK + last.Degraded + last.Declined + last.Failed + last.Unknown
		if last.Scheduled > 0 || float64(decided) > strayShare*float64(r.Totals.Scheduled)/max(1, r.DurationS) {
			break
		}
		all = all[:len(all)-1]
	}
	return all
}

// worst is the greatest value of the column's seconds, nil if none has one.
func (c column) worst(of func(Second) *float64) *float64 {
	var worst *float64
	for _, s := range c.seconds {
		if v := of(s); v != nil && (worst == nil || *v > *worst) {
			worst = v
		}
	}
	return worst
}

// perS is the mean of a count.
func (c column) perS(of func(Second) int64) float64 {
	sum := int64(0)
	for _, s := range c.seconds {
		sum += of(s)
	}
	return float64(sum) / float64(len(c.seconds))
}

// timeLines are what is drawn of latency over time.
var timeLines = []struct {
	class, text string
	of          func(Second) *float64
}{
	{"max", "max", func(s Second) *float64 { return s.LatencyMs.Max }},
	{"p99", "p99", func(s Second) *float64 { return s.LatencyMs.P99 }},
	{"p50", "p50", func(s Second) *float64 { return s.LatencyMs.P50 }},
}

// latencyPicture is response over time, by the second in which a request was due.
func latencyPicture(r *Result) (pictureView, bool) {
	columns := columnsOf(r)
	var values []float64
	for _, c := range columns {
		for _, l := range timeLines {
			if v := c.worst(l.of); v != nil {
				values = append(values, *v)
			}
		}
	}
	axis, ticks, grid, ok := logAxis(values)
	if !ok {
		return pictureView{}, false
	}
	p := pictureView{
		Name: "Response over time", YTicks: ticks, Grid: grid, XTicks: secondTicks(r),
		Note: "By the second in which a request was due, from its intended time to its end; failures are in it at the value they had reached.",
	}
	if n := len(columns); n > 0 && len(columns[0].seconds) > 1 {
		p.Note += fmt.Sprintf(" Each point is the worst of %d seconds.", len(columns[0].seconds))
	}
	scale := timeScale(r)
	for _, l := range timeLines {
		var line chart.Line
		for _, c := range columns {
			if v := c.worst(l.of); v != nil {
				line.To(scale.X((c.fromS+c.toS)/2), axis.Y(*v))
			} else {
				line.Break()
			}
		}
		p.Lines = append(p.Lines, pathView{l.class, line.Path()})
		p.Legend = append([]keyView{{l.class, l.text}}, p.Legend...)
	}
	return p, true
}

// outcomeAreas are stacked upon each other, the first at the bottom.
var outcomeAreas = []struct {
	outcome loadgen.Outcome
	of      func(Second) int64
}{
	{loadgen.OK, func(s Second) int64 { return s.OK }},
	{loadgen.Declined, func(s Second) int64 { return s.Declined }},
	{loadgen.Degraded, func(s Second) int64 { return s.Degraded }},
	{loadgen.Unknown, func(s Second) int64 { return s.Unknown }},
	{loadgen.Failed, func(s Second) int64 { return s.Failed }},
}

// throughputPicture is outcomes by the second in which they were decided, and
// what was due.
func throughputPicture(r *Result) (pictureView, bool) {
	columns := columnsOf(r)
	peak := 0.0
	for _, c := range columns {
		decided := 0.0
		for _, area := range outcomeAreas {
			decided += c.perS(area.of)
		}
		peak = max(peak, decided, c.perS(func(s Second) int64 { return s.Scheduled }))
	}
	if peak == 0 {
		return pictureView{}, false
	}
	axis, ticks, grid := linearAxis(peak)
	p := pictureView{Name: "Throughput, per second", YTicks: ticks, Grid: grid, XTicks: secondTicks(r)}
	scale := timeScale(r)
	base := make([]float64, len(columns))
	for _, area := range outcomeAreas {
		path, any := stacked(columns, base, area.of, scale, axis)
		if any {
			p.Areas = append(p.Areas, pathView{area.outcome.String(), path})
			p.Legend = append(p.Legend, keyView{area.outcome.String(), area.outcome.String()})
		}
	}
	var due chart.Line
	for _, c := range columns {
		y := axis.Y(c.perS(func(s Second) int64 { return s.Scheduled }))
		due.To(scale.X(c.fromS), y)
		due.To(scale.X(c.toS), y)
	}
	p.Lines = []pathView{{"scheduled", due.Path()}}
	p.Legend = append(p.Legend, keyView{"scheduled", "due by the schedule"})
	return p, true
}

// stacked draws one outcome in steps upon those before, whose heights are in
// base, and adds its own.
func stacked(columns []column, base []float64, of func(Second) int64, scale chart.Scale, axis chart.Axis) (path string, any bool) {
	var there, back strings.Builder
	for i, c := range columns {
		move := "H"
		if i == 0 {
			move = "M"
		}
		top := base[i] + c.perS(of)
		any = any || top > base[i]
		x1, x2 := scale.X(c.fromS), scale.X(c.toS)
		if move == "M" {
			fmt.Fprintf(&there, "M%.1f %.1fH%.1f", x1, axis.Y(top), x2)
		} else {
			fmt.Fprintf(&there, "V%.1fH%.1f", axis.Y(top), x2)
		}
		base[i], top = top, base[i]
		columns[i].bottom(&back, axis.Y(top), x1, x2)
	}
	return there.String() + reversed(back.String()) + "Z", any
}

// bottom notes a step of the way back, to be read from the end.
func (column) bottom(b *strings.Builder, y, x1, x2 float64) {
	fmt.Fprintf(b, "|L%.1f %.1fH%.1f", x2, y, x1)
}

func reversed(steps string) string {
	parts := strings.Split(strings.TrimPrefix(steps, "|"), "|")
	slices.Reverse(parts)
	return strings.Join(parts, "")
}

// clockClasses are the colours of the clocks.
var clockClasses = map[recording.Clock]string{
	recording.Response: "response", recording.Service: "service", recording.SendDelay: "delay",
}

// curvePicture is the percentile curves of the three clocks. The axis is in
// nines: each step further is a tenth of what was left.
func curvePicture(r *Result) (pictureView, bool) {
	var values []float64
	nines := 0.0
	for _, c := range recording.Clocks {
		for _, p := range r.Curves[c.String()] {
			values, nines = append(values, p.Ms), max(nines, ninesOf(p.Percent))
		}
	}
	axis, ticks, grid, ok := logAxis(values)
	if !ok || nines == 0 {
		return pictureView{}, false
	}
	p := pictureView{
		Name: "Percentile curve", YTicks: ticks, Grid: grid,
		Note: "How much of the load was within which time. It ends where fewer than one sample would lie beyond.",
	}
	scale := chart.Scale{To: nines}
	for _, percent := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if n := ninesOf(percent); n <= nines {
			p.XTicks = append(p.XTicks, tickView{scale.Percent(n), strconv.FormatFloat(percent, 'f', -1, 64) + " %"})
		}
	}
	if last := len(p.XTicks) - 1; last > 0 && nines-ninesOf([]float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999}[last]) > nines/20 {
		p.XTicks = append(p.XTicks, tickView{"100%", ""}) // The last tick is set to the left of its place.
	}
	for _, c := range slices.Backward(recording.Clocks[:]) {
		var line chart.Line
		for _, point := range r.Curves[c.String()] {
			line.To(scale.X(ninesOf(point.Percent)), axis.Y(point.Ms))
		}
		p.Lines = append(p.Lines, pathView{clockClasses[c], line.Path()})
		p.Legend = append([]keyView{{clockClasses[c], strings.ReplaceAll(c.String(), "_", " ")}}, p.Legend...)
	}
	return p, true
}

func ninesOf(percent float64) float64 { return -math.Log10(1 - percent/100) }
