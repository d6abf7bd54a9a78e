package capacity

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"breakbank/bench/chart"
	"breakbank/bench/load"
)

// pictureView is a chart; text and dots are HTML beside and above the picture.
type pictureView struct {
	Name, Note     string
	Legend         []keyView
	YTicks, XTicks []tickView
	Grid, Band     string
	Lines          []lineView
	Dots           []dotView
}

type (
	keyView  struct{ Class, Text string }
	lineView struct{ Class, Path string }
	tickView struct {
		At   template.CSS
		Text string
	}
	dotView struct {
		Class, Says string
		Left, Up    template.CSS
	}
)

// points are the probes of the curve by rate, without those that were invalid and
// made again; where no curve was drawn, all that were made.
func points(r *Result) []Probe {
	list := r.in(Curve)
	if len(list) == 0 {
		list = slices.Clone(r.Probes)
	}
	slices.SortStableFunc(list, byRate)
	again := func(p Probe) bool {
		return slices.ContainsFunc(list, func(o Probe) bool { return o.RatePerS == p.RatePerS && o.AtS > p.AtS })
	}
	var kept []Probe
	for _, p := range list {
		if p.Outcome != Invalid || !again(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

func byRate(a, b Probe) int {
	switch {
	case a.RatePerS < b.RatePerS:
		return -1
	case a.RatePerS > b.RatePerS:
		return 1
	}
	return 0
}

// rateScale is the width of the curve: from nothing to the highest rate.
func rateScale(list []Probe) (chart.Scale, []tickView) {
	scale := chart.Scale{To: list[len(list)-1].RatePerS * 1.02}
	var ticks []tickView
	for _, v := range steps(scale.To, 8) {
		ticks = append(ticks, tickView{scale.Percent(v), perSecond(v)})
	}
	ticks[len(ticks)-1].Text += "/s"
	if scale.To-lastStep(scale.To) > scale.To/50 { // Not at the end: keep it at its place.
		ticks = append(ticks, tickView{"100%", ""})
	}
	return scale, ticks
}

func lastStep(to float64) float64 {
	all := steps(to, 8)
	return all[len(all)-1]
}

// steps are round figures from 0 to a value, at most so many beside 0.
func steps(to float64, most int) []float64 {
	step := math.Pow(10, math.Floor(math.Log10(to))-1)
	for _, times := range []float64{1, 2, 2.5, 5, 10, 20, 25, 50, 100} {
		if times*step*float64(most) >= to {
			step *= times
			break
		}
	}
	var all []float64
	for i := 0; float64(i)*step <= to*1.0001; i++ {
		all = append(all, float64(i)*step)
	}
	return all
}

// band is the interval and the estimate in it.
func (v *pictureView) band(r *Result, scale chart.Scale, of func(perS float64) float64) {
	e := r.CapacityPerS
	if e == nil {
		return
	}
	low, high := scale.X(of(e.Low)), scale.X(of(e.High))
	v.Band = fmt.Sprintf("M%.1f 0H%.1fV%.0fH%.1fZ", low, high, chart.Height, low)
	v.Lines = append(v.Lines, lineView{"estimate", fmt.Sprintf("M%.1f 0V%.0f", scale.X(of(e.Value)), chart.Height)})
	v.Legend = append(v.Legend, keyView{"interval", "capacity, with its 95 % interval"})
}

func same(perS float64) float64 { return perS }

// add draws a line of dots through the points; an invalid one is hollow and not
// on it, since nobody knows what was offered.
func (v *pictureView) add(class string, list []Probe, scale chart.Scale, axis chart.Axis, of func(*Probe) *float64, says func(float64) string) {
	var line chart.Line
	key := keyView{"void", "invalid"}
	for i := range list {
		p := &list[i]
		value := of(p)
		if value == nil {
			continue
		}
		dot := dotView{
			class, fmt.Sprintf("%s/s: %s", perSecond(p.RatePerS), says(*value)),
			scale.Percent(p.RatePerS), up(axis, *value),
		}
		if p.Outcome == Invalid {
			dot.Class = "void"
			if !slices.Contains(v.Legend, key) {
				v.Legend = append(v.Legend, key)
			}
		} else {
			line.To(scale.X(p.RatePerS), axis.Y(*value))
		}
		v.Dots = append(v.Dots, dot)
	}
	v.Lines = append(v.Lines, lineView{class, line.Path()})
}

// up is how far above the bottom a value is drawn.
func up(a chart.Axis, value float64) template.CSS {
	return template.CSS(fmt.Sprintf("%.2f%%", 100-a.Y(value)/chart.Height*100))
}

// goodputPicture is what came well of what was offered.
func goodputPicture(r *Result) (pictureView, bool) {
	list := points(r)
	if len(list) == 0 {
		return pictureView{}, false
	}
	scale, ticks := rateScale(list)
	axis := chart.Linear{Ceil: scale.To}
	v := pictureView{
		Name: "Goodput", XTicks: ticks,
		Note: "Good answers a second, for requests offered a second. Up to the capacity it is all of them.",
		Legend: []keyView{
			{"good", "good a second"}, {"offered", "as much as was offered"},
		},
	}
	var shown []float64
	for _, at := range steps(scale.To, 5) {
		shown = append(shown, at)
		v.YTicks = append(v.YTicks, tickView{up(axis, at), perSecond(at)})
	}
	v.Grid = chart.Across(axis, shown...)
	v.band(r, scale, same)
	v.Lines = append(v.Lines, lineView{"offered", fmt.Sprintf("M0 %.0fL%.0f 0", chart.Height, chart.Width)})
	v.add("good", list, scale, axis, func(p *Probe) *float64 { return &p.GoodPerS },
		func(perS float64) string { return perSecond(perS) + " good a second" })
	return v, true
}

// latencies are what is drawn of the response.
var latencies = []struct {
	class, text string
	of          func(*Probe) *float64
}{
	{"max", "max", func(p *Probe) *float64 { return p.LatencyMs.Max }},
	{"p99", "p99", func(p *Probe) *float64 { return p.LatencyMs.P99 }},
	{"p50", "p50", func(p *Probe) *float64 { return p.LatencyMs.P50 }},
}

// responsePicture is the throughput–latency curve.
func responsePicture(r *Result) (pictureView, bool) {
	list := points(r)
	var values []float64
	for i := range list {
		for _, l := range latencies {
			if ms := l.of(&list[i]); ms != nil && *ms > 0 {
				values = append(values, *ms)
			}
		}
	}
	if len(values) == 0 {
		return pictureView{}, false
	}
	if r.boundMs > 0 {
		values = append(values, r.boundMs)
	}
	scale, ticks := rateScale(list)
	axis, rounds := decades(slices.Min(values), slices.Max(values))
	v := pictureView{
		Name: "Response", XTicks: ticks, Grid: chart.Across(axis, rounds...),
		Note: "From when a request was due to its end, failures included, for requests offered a second; logarithmic.",
	}
	for _, ms := range rounds {
		v.YTicks = append(v.YTicks, tickView{up(axis, ms), strconv.FormatFloat(ms, 'g', -1, 64) + " ms"})
	}
	for _, l := range slices.Backward(latencies) {
		v.Legend = append(v.Legend, keyView{l.class, l.text})
	}
	v.band(r, scale, same)
	if r.boundMs > 0 {
		v.Lines = append(v.Lines, lineView{"bound", chart.Across(axis, r.boundMs)})
		v.Legend = append(v.Legend, keyView{"bound", "the longest that the objective allows"})
	}
	for _, l := range latencies {
		v.add(l.class, list, scale, axis, l.of, func(ms float64) string { return l.text + " " + load.Millis(ms) + " ms" })
	}
	return v, true
}

// axisFloor is the least that a logarithmic axis shows: a microsecond, of
// latencies.
const axisFloor = 0.001

// decades is a logarithmic axis over values, and the round figures on it.
func decades(low, high float64) (chart.Log, []float64) {
	low, high = max(low, axisFloor), max(high, axisFloor)
	var all []float64
	for at := math.Pow(10, math.Floor(math.Log10(low))); at < 10*high; at *= 10 {
		all = append(all, at, 2*at, 5*at)
	}
	from, to := 0, len(all)-1
	for from+1 < len(all) && all[from+1] <= low {
		from++
	}
	for to > from+1 && all[to-1] >= high {
		to--
	}
	all = all[from : to+1]
	axis := chart.Log{Floor: all[0], Ceil: all[len(all)-1]}
	const shownMax = 9
	if len(all) > shownMax { // Only the powers of ten.
		all = slices.DeleteFunc(all, func(v float64) bool {
			n := math.Log10(v)
			return math.Abs(n-math.Round(n)) > 1e-6
		})
	}
	return axis, all
}

// searchPicture is how the search went: each probe by its rate and its turn.
func searchPicture(r *Result) (pictureView, bool) {
	var list []Probe
	for _, p := range r.Probes {
		if p.Phase != Curve {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return pictureView{}, false
	}
	least, most := slices.MinFunc(list, byRate).RatePerS, slices.MaxFunc(list, byRate).RatePerS
	scale := chart.Scale{From: math.Log(least / 1.1), To: math.Log(most * 1.1)}
	v := pictureView{
		Name: "The search", Legend: []keyView{{"met", "met the objective"}, {"missed", "missed it"}, {"invalid", "says nothing of the target"}},
		Note: "Each probe by its rate, logarithmic, from the first at the top to the last: a climb, a bisection, and probes around what these had found.",
	}
	_, rounds := decades(least/1.1, most*1.1)
	for _, perS := range rounds {
		if perS >= least/1.1 && perS <= most*1.1 {
			v.XTicks = append(v.XTicks, tickView{scale.Percent(math.Log(perS)), perSecond(perS)})
		}
	}
	if n := len(v.XTicks); n > 0 {
		v.XTicks[n-1].Text += "/s"
	}
	v.XTicks = append([]tickView{{"0%", ""}}, append(v.XTicks, tickView{"100%", ""})...)
	v.band(r, scale, math.Log)
	axis := chart.Linear{Ceil: float64(len(list) + 1)}
	phase := Phase("")
	for i, p := range list {
		turn := float64(len(list) - i)
		v.Dots = append(v.Dots, dotView{
			p.Outcome.String(), fmt.Sprintf("%s/s: %s", perSecond(p.RatePerS), p.says()),
			scale.Percent(math.Log(p.RatePerS)), up(axis, turn),
		})
		if p.Phase != phase {
			phase = p.Phase
			v.YTicks = append(v.YTicks, tickView{up(axis, turn), string(phase)})
		}
	}
	return v, true
}
