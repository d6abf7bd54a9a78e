package report

import (
	"fmt"
	"html/template"
	"strings"

	"breakbank/bench/chart"
	"breakbank/bench/result"
)

// latencyMs is the axis of latency.
var latencyMs = chart.Log{Floor: 1, Ceil: 20_000}

// layer is one colour of a stacked picture.
type layer struct {
	Class string
	Path  string
}

// stack draws the outcomes of a journey, one step a second, upon each other.
// peak is the count that fills the height.
func stack(series []result.Second, journey string, s chart.Scale) (layers []layer, peak int64) {
	for _, second := range series {
		peak = max(peak, second.Journeys[journey].Offered)
	}
	if peak == 0 {
		return nil, 0
	}
	base := make([]int64, len(series))
	for _, outcome := range result.Outcomes {
		var top, bottom strings.Builder
		any := false
		var back []string
		for i, second := range series {
			n := second.Journeys[journey].Of(outcome)
			any = any || n > 0
			x1, x2 := s.X(second.TS), s.X(second.TS+1)
			y0, y1 := height(base[i], peak), height(base[i]+n, peak)
			fmt.Fprintf(&top, "%s%.1f %.1fH%.1f", command(i), x1, y1, x2)
			back = append(back, fmt.Sprintf("L%.1f %.1fH%.1f", x2, y0, x1))
			base[i] += n
		}
		for i := len(back) - 1; i >= 0; i-- {
			bottom.WriteString(back[i])
		}
		if any {
			layers = append(layers, layer{Class: outcome.String(), Path: top.String() + bottom.String() + "Z"})
		}
	}
	return layers, peak
}

func height(n, peak int64) float64 {
	return chart.Linear{Ceil: float64(peak)}.Y(float64(n))
}

func command(i int) string {
	if i == 0 {
		return "M"
	}
	return "L"
}

// latencyLine draws a latency over time; seconds without one break the line.
func latencyLine(series []result.Second, journey string, s chart.Scale, of func(result.Latency) *float64) string {
	var line chart.Line
	for _, second := range series {
		if ms := of(second.Journeys[journey].LatencyMs); ms != nil {
			line.To(s.X(second.TS+0.5), latencyMs.Y(*ms))
		} else {
			line.Break()
		}
	}
	return line.Path()
}

// band is a stretch of time in which a router's discovery state was the same.
type band struct {
	Class       string
	Left, Width template.CSS
	Title       string
	from, to    float64
	ageMs       int64
}

// bands joins the seconds of one router that have the same state.
func bands(series []result.Second, node string, s chart.Scale) []band {
	var all []band
	for _, second := range series {
		point, known := routerAt(second, node)
		if !known {
			continue
		}
		last := len(all) - 1
		if last >= 0 && all[last].Class == point.State && second.TS-all[last].to < 1 {
			all[last].to = second.TS + 1
			all[last].ageMs = max(all[last].ageMs, point.AgeMs)
			continue
		}
		all = append(all, band{Class: point.State, from: second.TS, to: second.TS + 1, ageMs: point.AgeMs})
	}
	for i := range all {
		b := &all[i]
		b.Left, b.Width = s.Percent(b.from), s.Span(b.from, b.to)
		b.Title = fmt.Sprintf("%s: %s for %.0f s", node, b.Class, b.to-b.from)
		if b.ageMs > 0 {
			b.Title += fmt.Sprintf(", up to %.0f s old", float64(b.ageMs)/1000)
		}
	}
	return all
}

func routerAt(second result.Second, node string) (result.RouterPoint, bool) {
	for _, point := range second.Routers {
		if point.Node == node {
			return point, true
		}
	}
	return result.RouterPoint{}, false
}
