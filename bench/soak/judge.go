package soak

import (
	"fmt"
	"math"
)

// Verdict is what is said of a series or of a process.
type Verdict string

// The verdicts.
const (
	Flat    Verdict = "flat"
	Grows   Verdict = "grows"
	Unclear Verdict = "unclear"
	// Restarted: another process has its place, so that nothing can be said.
	Restarted Verdict = "restarted"
	// Unread: it did not answer often enough.
	Unread Verdict = "unread"
)

// readMin is the share of readings that must have succeeded.
const readMin = 0.8

// Reading is one process at one moment.
type Reading struct {
	AtS float64
	// StartedS tells one process from the next; it does not change.
	StartedS float64
	// Values are by Table; NaN where the process does not tell.
	Values []float64
}

// Track is what was read of a process.
type Track struct {
	Process  Process
	Readings []Reading
	// Missed counts readings that failed, LastError is why the last did.
	Missed    int
	LastError string
}

// ProcessResult is a process and what is said of it.
type ProcessResult struct {
	Name    string         `json:"name"`
	Role    string         `json:"role"`
	Verdict Verdict        `json:"verdict"`
	Why     string         `json:"why,omitempty"`
	Series  []SeriesResult `json:"series"`
}

// SeriesResult is a series of a process.
type SeriesResult struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Growth  Growth  `json:"growth"`
	// Bound is the growth that is still flat.
	Bound  float64 `json:"bound"`
	Points []Point `json:"points"`
}

// Judge says of each process whether it stayed as it was, over so many seconds
// of which so many readings were wanted. It is pure.
func Judge(tracks []Track, overS float64, wanted int) []ProcessResult {
	results := make([]ProcessResult, 0, len(tracks))
	for _, t := range tracks {
		results = append(results, judge(t, overS, wanted))
	}
	return results
}

func judge(t Track, overS float64, wanted int) ProcessResult {
	r := ProcessResult{Name: t.Process.Name, Role: t.Process.Role, Verdict: Flat, Series: []SeriesResult{}}
	for _, reading := range t.Readings {
		if reading.StartedS != t.Readings[0].StartedS {
			r.Verdict, r.Why = Restarted, fmt.Sprintf("another process has its place since second %.0f", reading.AtS)
			return r
		}
	}
	if got := len(t.Readings); got < pointsMin || float64(got) < readMin*float64(wanted) {
		r.Verdict, r.Why = Unread, fmt.Sprintf("%d of %d readings", got, wanted)
		if t.LastError != "" {
			r.Why += "; the last that failed: " + t.LastError
		}
		return r
	}
	for i, series := range Table {
		points := pointsOf(t.Readings, i)
		if len(points) < pointsMin {
			continue // Its kind of process does not tell.
		}
		s := judgeSeries(series, points, overS)
		r.Series = append(r.Series, s)
		if s.Verdict != Flat {
			if r.Why != "" {
				r.Why += "; "
			}
			r.Why += fmt.Sprintf("%s %s: %s, where up to %s is flat", series.Name, s.Verdict, growthText(series, s.Growth), amount(series, s.Bound))
		}
		if s.Verdict == Grows || s.Verdict == Unclear && r.Verdict == Flat {
			r.Verdict = s.Verdict
		}
	}
	if len(r.Series) == 0 {
		r.Verdict, r.Why = Unread, "it tells nothing of itself"
	}
	return r
}

func judgeSeries(series Series, points []Point, overS float64) SeriesResult {
	r := SeriesResult{Name: series.Name, Growth: fit(points, overS), Points: points}
	r.Bound = series.bound(r.Growth.Mean)
	switch {
	case r.Growth.High <= r.Bound:
		r.Verdict = Flat
	case r.Growth.Low > r.Bound:
		r.Verdict = Grows
	default:
		r.Verdict = Unclear
	}
	return r
}

func pointsOf(readings []Reading, series int) []Point {
	points := make([]Point, 0, len(readings))
	for _, r := range readings {
		if v := r.Values[series]; !math.IsNaN(v) {
			points = append(points, Point{r.AtS, v})
		}
	}
	return points
}
