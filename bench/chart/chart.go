// Package chart draws the small pictures of the HTML pages: SVG paths, and
// nothing else. The page stretches a picture to whatever room it has; text
// never goes into it, so that it keeps its size (decision 3). What the pages'
// look has in common is here as well.
package chart

import (
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Style is the style sheet that the pages share: colours, light and dark, type,
// tables, plots, print. A page puts its own after it.
//
//go:embed chart.css
var Style string

// Width and Height of the box in which pictures are drawn.
const (
	Width  = 1000.0
	Height = 100.0
)

// Scale maps a stretch of time, in seconds, to the width of a picture.
type Scale struct{ From, To float64 }

// X is where a moment is drawn; what is beyond the stretch is at its ends.
func (s Scale) X(seconds float64) float64 {
	if s.To <= s.From {
		return 0
	}
	return Width * math.Max(0, math.Min(1, (seconds-s.From)/(s.To-s.From)))
}

// Percent is X as a CSS length.
func (s Scale) Percent(seconds float64) template.CSS {
	return template.CSS(fmt.Sprintf("%.2f%%", s.X(seconds)/Width*100))
}

// Span is the width of a stretch of time as a CSS length.
func (s Scale) Span(from, to float64) template.CSS {
	return template.CSS(fmt.Sprintf("%.2f%%", (s.X(to)-s.X(from))/Width*100))
}

// Axis maps values to the height of a picture.
type Axis interface {
	// Y is where a value is drawn; what is beyond the axis is at its ends.
	Y(value float64) float64
}

// Log is a logarithmic axis from Floor to Ceil, both positive.
type Log struct{ Floor, Ceil float64 }

// Y implements Axis.
func (a Log) Y(value float64) float64 {
	value = math.Max(a.Floor, math.Min(a.Ceil, value))
	return Height * (1 - math.Log(value/a.Floor)/math.Log(a.Ceil/a.Floor))
}

// Linear is an axis from 0 to Ceil.
type Linear struct{ Ceil float64 }

// Y implements Axis.
func (a Linear) Y(value float64) float64 {
	return Height * (1 - math.Max(0, math.Min(1, value/a.Ceil)))
}

// Line is a line through points, in the order they are given. The zero value is
// an empty one.
type Line struct {
	path    strings.Builder
	drawing bool
}

// To draws on to a point, or begins there.
func (l *Line) To(x, y float64) {
	move := "L"
	if !l.drawing {
		move = "M"
	}
	fmt.Fprintf(&l.path, "%s%.1f %.1f", move, x, y)
	l.drawing = true
}

// Break leaves a gap before the next point.
func (l *Line) Break() { l.drawing = false }

// Path is the line as an SVG path.
func (l *Line) Path() string { return l.path.String() }

// Across is horizontal lines at these values, as an SVG path.
func Across(a Axis, values ...float64) string {
	var path strings.Builder
	for _, v := range values {
		fmt.Fprintf(&path, "M0 %.1fH%.0f", a.Y(v), Width)
	}
	return path.String()
}
