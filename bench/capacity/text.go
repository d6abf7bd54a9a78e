package capacity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakbank/bench/load"
)

// Text is the result as one reads it in a terminal.
func Text(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n  %s\n\n", r.Scenario, r.Objective, headline(r))
	b.WriteString(tableText(tableOf(r)))
	fmt.Fprintf(&b, "\n%s\n%s\n", effort(r), verdict(r))
	for _, reason := range slices.Concat(r.InvalidReasons, r.IllustrativeReasons) {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	return b.String()
}

// headline is what was found, in words.
func headline(r *Result) string {
	switch {
	case r.CapacityPerS != nil:
		return fmt.Sprintf("%s/s (95 %%: %s–%s)", perSecond(r.CapacityPerS.Value), perSecond(r.CapacityPerS.Low), perSecond(r.CapacityPerS.High))
	case r.End == Nothing:
		return fmt.Sprintf("less than %s/s: not even that met it", perSecond(r.BelowPerS))
	case r.AtLeastPerS == 0:
		return "nothing was found"
	case r.End == ByMax:
		return fmt.Sprintf("at least %s/s: the highest rate that was to be tried", perSecond(r.AtLeastPerS))
	case r.End == ByGenerator:
		return fmt.Sprintf("at least %s/s; the generator was the limit", perSecond(r.AtLeastPerS))
	case r.BelowPerS > 0:
		return fmt.Sprintf("between %s and %s/s, as far as it went", perSecond(r.AtLeastPerS), perSecond(r.BelowPerS))
	}
	return fmt.Sprintf("at least %s/s, as far as it went", perSecond(r.AtLeastPerS))
}

// effort is what was done for it.
func effort(r *Result) string {
	parts := []string{}
	for _, phase := range []Phase{Climb, Narrow, Confirm, Curve} {
		if n := len(r.in(phase)); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", phase, n))
		}
	}
	took := time.Duration(0)
	if n := len(r.Probes); n > 0 {
		last := r.Probes[n-1]
		took = time.Duration((last.AtS + last.WarmUpS + last.DurationS) * float64(time.Second)).Round(time.Second)
	}
	return fmt.Sprintf("%s in %v: %s", plural(len(r.Probes), "probe"), took, strings.Join(parts, ", "))
}

func verdict(r *Result) string {
	words := "VALID"
	if !r.Valid {
		words = "INVALID"
	}
	if r.Illustrative {
		words += ", illustrative"
	}
	if r.Partial {
		words += ", partial"
	}
	return words
}

// columns of the table; all but the last are figures.
var columns = []string{"offered/s", "good/s", "p50 ms", "p99 ms", "max ms", "not ok", ""}

// tableOf is the curve, or where there is none all probes, by rate.
func tableOf(r *Result) [][]string {
	rows := [][]string{columns}
	for _, p := range points(r) {
		rows = append(rows, []string{
			perSecond(p.RatePerS), perSecond(p.GoodPerS), millis(p.LatencyMs.P50), millis(p.LatencyMs.P99), millis(p.LatencyMs.Max),
			percent(p.notOK()), p.says(),
		})
	}
	return rows
}

func tableText(rows [][]string) string {
	widths := make([]int, len(columns))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i < len(row)-1 {
				line += pad + cell + "  "
			} else {
				line += cell
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// says is a probe's outcome, and what decided it.
func (p *Probe) says() string {
	if p.Outcome == Invalid {
		return "invalid: " + strings.Join(p.Why, "; ")
	}
	var missed []string
	for _, c := range p.Conditions {
		if !c.Met {
			missed = append(missed, c.words)
		}
	}
	if len(missed) == 0 {
		return p.Outcome.String()
	}
	return p.Outcome.String() + " " + strings.Join(missed, "; ")
}

// notOK is the share of all that was scheduled.
func (p *Probe) notOK() float64 {
	if p.Scheduled == 0 {
		return 0
	}
	return float64(p.Scheduled-p.OK) / float64(p.Scheduled)
}

// String is the progress in a line.
func (p Progress) String() string {
	probe := p.Probe
	text := fmt.Sprintf("probe %d, %s: %s/s %s", p.Number, probe.Phase, perSecond(probe.RatePerS), probe.says())
	if probe.Outcome == Met {
		var words []string
		for _, c := range probe.Conditions {
			words = append(words, c.words)
		}
		text += " " + strings.Join(words, "; ")
	}
	if p.Left > 0 {
		text += fmt.Sprintf("; about %v left", p.Left.Round(time.Second))
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// perSecond writes a rate with as many digits as it has meaning.
func perSecond(perS float64) string {
	if perS >= 100 || perS == 0 {
		return load.Grouped(int64(perS + 0.5))
	}
	return strconv.FormatFloat(perS, 'g', 3, 64)
}

func millis(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return load.Millis(*ms)
}

// percent of a share, never rounded to nothing if it is something.
func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0:
		return "0 %"
	case p < 0.01:
		return "<0.01 %"
	default:
		return strconv.FormatFloat(p, 'g', 3, 64) + " %"
	}
}
