package load

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"breakbank/bench/chart"
)

// axisFloorMs is the least that an axis shows.
const axisFloorMs = 0.001

// logAxis reaches over all values, to a 1, 2 or 5 times a power of ten on either
// side. Where that makes many, only the powers of ten are marked.
func logAxis(values []float64) (axis chart.Log, ticks []tickView, grid string, ok bool) {
	if len(values) == 0 {
		return axis, nil, "", false
	}
	const margin = 1.08 // so that a line is whole
	low, high := max(axisFloorMs, slices.Min(values)/margin), margin*max(axisFloorMs, slices.Max(values))
	type round struct {
		value float64
		power bool
	}
	var rounds []round
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= 10*high; decade *= 10 { // one more than needed
		rounds = append(rounds, round{decade, true}, round{2 * decade, false}, round{5 * decade, false})
	}
	from, to := 0, len(rounds)-1
	for from+1 < len(rounds) && rounds[from+1].value <= low {
		from++
	}
	for to > from+2 && rounds[to-1].value >= high {
		to--
	}
	rounds = rounds[from : to+1]
	axis = chart.Log{Floor: rounds[0].value, Ceil: rounds[len(rounds)-1].value}
	const ticksMax = 8
	var shown []float64
	for _, r := range rounds {
		if len(rounds) <= ticksMax || r.power {
			shown = append(shown, r.value)
			ticks = append(ticks, tickView{up(axis, r.value), plain(r.value) + " ms"})
		}
	}
	return axis, ticks, chart.Across(axis, shown...), true
}

// linearAxis reaches from 0 to a little above the peak, in four or five steps.
func linearAxis(peak float64) (axis chart.Linear, ticks []tickView, grid string) {
	step := math.Pow(10, math.Floor(math.Log10(peak/4)))
	for _, times := range []float64{1, 2, 2.5, 5, 10} {
		if times*step*5 >= peak*1.02 {
			step *= times
			break
		}
	}
	axis = chart.Linear{Ceil: math.Ceil(peak*1.02/step) * step}
	var shown []float64
	for v := 0.0; v <= axis.Ceil*1.001; v += step {
		shown = append(shown, v)
		text := plain(v)
		if v == math.Trunc(v) {
			text = Grouped(int64(v))
		}
		ticks = append(ticks, tickView{up(axis, v), text})
	}
	return axis, ticks, chart.Across(axis, shown...)
}

// up is how far above the bottom a value is drawn.
func up(a chart.Axis, v float64) template.CSS {
	return template.CSS(fmt.Sprintf("%.2f%%", 100-a.Y(v)/chart.Height*100))
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func timeScale(r *Result) chart.Scale {
	if all := shown(r); len(all) > 0 {
		return chart.Scale{To: float64(all[len(all)-1].TS + 1)}
	}
	return chart.Scale{To: 1}
}

// secondTicks are round seconds, at most twelve.
func secondTicks(r *Result) []tickView {
	const most = 12
	scale := timeScale(r)
	step := 1.0
	for _, s := range []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400} {
		if step = s; scale.To/s <= most {
			break
		}
	}
	var ticks []tickView
	for at := 0.0; at < scale.To-step/3; at += step {
		ticks = append(ticks, tickView{scale.Percent(at), plain(at)})
	}
	return append(ticks, tickView{"100%", plain(scale.To) + " s"})
}
