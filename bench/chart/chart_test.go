package chart

import (
	"math"
	"strings"
	"testing"
)

func TestScaleAndAxesEndWhereTheySay(t *testing.T) {
	s := Scale{From: 10, To: 20}
	log, linear := Log{Floor: 1, Ceil: 1000}, Linear{Ceil: 4}
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"before the stretch", s.X(5), 0},
		{"its middle", s.X(15), Width / 2},
		{"after it", s.X(25), Width},
		{"an empty stretch", Scale{}.X(5), 0},
		{"below the log axis", log.Y(0.1), Height},
		{"a decade of three", log.Y(10), Height * 2 / 3},
		{"above it", log.Y(1e6), 0},
		{"nothing on the linear axis", linear.Y(0), Height},
		{"a quarter", linear.Y(1), Height * 3 / 4},
		{"above it", linear.Y(9), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if got := s.Percent(15) + " " + s.Span(12, 17); got != "50.00% 50.00%" {
		t.Errorf("as CSS: %s", got)
	}
}

func TestALineBreaksWhereNothingIsKnown(t *testing.T) {
	var l Line
	l.To(0, 1)
	l.To(1, 2)
	l.Break()
	l.To(3, 4)
	if got, want := l.Path(), "M0.0 1.0L1.0 2.0M3.0 4.0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAcross(t *testing.T) {
	if got, want := Across(Linear{Ceil: 2}, 1, 2), "M0 50.0H1000M0 0.0H1000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Both colour schemes must name every colour that they do not share.
func TestTheStyleIsSelfContained(t *testing.T) {
	for _, bad := range []string{"http", "@import", "url("} {
		if strings.Contains(Style, bad) {
			t.Errorf("the style sheet contains %q: a page would not open offline", bad)
		}
	}
	if !strings.Contains(Style, "prefers-color-scheme: dark") {
		t.Error("it has no dark scheme")
	}
}
