package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"breakbank/bench/result"
)

// Pictures are drawn in a box of plotWidth × plotHeight units that the page
// stretches to whatever room it has; text never goes into the box, so that it
// keeps its size.
const (
	plotWidth  = 1000.0
	plotHeight = 100.0
)

// Latency is drawn on a logarithmic axis between these.
const (
	latencyFloorMs = 1.0
	latencyCeilMs  = 20_000.0
)

// scale maps seconds of the run to the width of a picture.
type scale struct{ from, to float64 }

func (s scale) x(seconds float64) float64 {
	if s.to <= s.from {
		return 0
	}
	return plotWidth * math.Max(0, math.Min(1, (seconds-s.from)/(s.to-s.from)))
}

// percent is x as a CSS length.
func (s scale) percent(seconds float64) template.CSS {
	return template.CSS(fmt.Sprintf("%.2f%%", s.x(seconds)/plotWidth*100))
}

// layer is one colour of a stacked picture.
type layer struct {
	Class string
	Path  string
}

// stack draws the outcomes of a journey, one step a second, upon each other.
// peak is the count that fills the height.
func stack(series []result.Second, journey string, s scale) (layers []layer, peak int64) {
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
			x1, x2 := s.x(second.TS), s.x(second.TS+1)
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

func height(n, peak int64) float64 { return plotHeight * (1 - float64(n)/float64(peak)) }

func command(i int) string {
	if i == 0 {
		return "M"
	}
	return "L"
}

// latencyLine draws a latency over time; seconds without one break the line.
func latencyLine(series []result.Second, journey string, s scale, of func(result.Latency) *float64) string {
	var path strings.Builder
	drawing := false
	for _, second := range series {
		ms := of(second.Journeys[journey].LatencyMs)
		if ms == nil {
			drawing = false
			continue
		}
		move := "L"
		if !drawing {
			move = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", move, s.x(second.TS+0.5), latencyY(*ms))
		drawing = true
	}
	return path.String()
}

// latencyY is the height at which a latency is drawn.
func latencyY(ms float64) float64 {
	ms = math.Max(latencyFloorMs, math.Min(latencyCeilMs, ms))
	return plotHeight * (1 - math.Log(ms/latencyFloorMs)/math.Log(latencyCeilMs/latencyFloorMs))
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
func bands(series []result.Second, node string, s scale) []band {
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
		b.Left = s.percent(b.from)
		b.Width = template.CSS(fmt.Sprintf("%.2f%%", (s.x(b.to)-s.x(b.from))/plotWidth*100))
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
