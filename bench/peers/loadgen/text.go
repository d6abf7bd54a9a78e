package loadgen

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"breakbank/bench/peers/comparison"
	"breakbank/bench/stats"
)

// Text is the result for people: a table a case, the bars, the verdict.
func Text(r *Result) string {
	var out strings.Builder
	for _, of := range r.Cases {
		switch of.Kind {
		case Saturation:
			writeTable(&out, of.Name, saturationTable(of, r))
		case Schedule:
			writeTable(&out, of.Name, scheduleTable(of, r))
		case Truth:
			if of.Fails {
				writeTable(&out, of.Name, failuresTable(of, r))
				writeFewer(&out, of, r)
			} else {
				writeTable(&out, of.Name, truthTable(of, r))
			}
		}
	}
	writeMemory(&out, r.Memory)
	how, done := r.Decided(), r.Done()
	if r.Memory != nil {
		how, done = "", fmt.Sprintf("%g s", r.Memory.LastedS)
	}
	comparison.WriteBars(&out, r.Bars, how, "%.4g", 12)
	comparison.WriteMissing(&out, r.Missing)
	comparison.WriteVerdict(&out, &r.Envelope, done, r.Environment, Names())
	return out.String()
}

// writeTable writes lines of columns below a heading; the first line names the
// columns.
func writeTable(out *strings.Builder, name string, lines [][]string) {
	if len(lines) < 2 {
		return
	}
	fmt.Fprintln(out, name)
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, line := range lines {
		fmt.Fprintln(columns, strings.Join(line, "\t")+"\t")
	}
	columns.Flush() //nolint:errcheck // to memory
	fmt.Fprintln(out)
}

func saturationTable(of Case, r *Result) [][]string {
	lines := [][]string{{"generator", "requests/s", "CPU µs/request", "x ghz", "x h2load"}}
	for _, c := range r.Costs {
		if c.Case == of.Name {
			lines = append(lines, []string{
				c.Generator, fmt.Sprintf("%.0f", c.RatePerS.Value), comparison.Interval(&c.CPUUs, "%.2f"),
				comparison.Interval(c.ToGhz, "%.3f"), comparison.Interval(c.ToH2load, "%.2f"),
			})
		}
	}
	return lines
}

func scheduleTable(of Case, r *Result) [][]string {
	lines := [][]string{{"generator", "requests/s", "CPU µs/request", "offered %", "send delay p50 ms", "p99 ms", "D"}}
	for _, c := range r.Costs {
		if c.Case == of.Name {
			lines = append(lines, []string{
				c.Generator, fmt.Sprintf("%.0f", c.RatePerS.Value), comparison.Interval(&c.CPUUs, "%.2f"), share(c.OfferedShare),
				comparison.Interval(c.SendDelayP50Ms, "%.3f"), comparison.Interval(c.SendDelayP99Ms, "%.2f"), comparison.Interval(c.StrayD, "%.4f"),
			})
		}
	}
	return lines
}

// truthTable has the truth in its first line, and whoever reports it below. What
// is in brackets is too small, or on the edge between two values, to hold anybody
// to. Below who made all requests is what the server took for them by its own clock:
// that much of what is reported above the truth is not the generator's.
func truthTable(of Case, r *Result) [][]string {
	lines := [][]string{{"", "requests"}}
	for _, q := range quantiles {
		lines[0] = append(lines[0], q.shown+" ms")
	}
	lines[0] = append(lines[0], "off by %")
	for _, t := range r.Truths {
		if t.Case != of.Name {
			continue
		}
		if len(lines) == 1 {
			lines = append(lines, append([]string{"the truth", fmt.Sprintf("%.0f", t.Scheduled)}, latencyWords(t.TruthMs, t.Decided)...))
		}
		lines = append(lines, slices.Concat([]string{t.Generator, fmt.Sprintf("%.0f", t.Calls)}, latencyWords(t.ReportedMs, nil), []string{share(t.Off)}))
		if t.Calls >= t.Scheduled && len(t.ServedMs) > 0 {
			lines = append(lines, slices.Concat([]string{"by the server's clock", ""}, latencyWords(t.ServedMs, nil), []string{""}))
		}
	}
	if len(lines) > 1 {
		lines[1] = append(lines[1], "")
	}
	return lines
}

// latencyWords are quantiles in their order; with decided, all others are in
// brackets.
func latencyWords(l Latency, decided []string) (words []string) {
	for _, q := range quantiles {
		ms, there := l[q.name]
		word := fmt.Sprintf("%.1f", ms)
		switch {
		case !there:
			word = "-"
		case decided != nil && !slices.Contains(decided, q.name):
			word = "(" + word + ")"
		}
		words = append(words, word)
	}
	return words
}

// failuresTable has the truth beside each report: it is of the requests that were
// made, and who made fewer than were asked for has another.
func failuresTable(of Case, r *Result) [][]string {
	lines := [][]string{{"generator", "requests", "of these fail %", "reported %", "off by %"}}
	percent := func(v *float64) string { return fmt.Sprintf("%.3f", *v*100) }
	for _, t := range r.Truths {
		if t.Case == of.Name && t.TruthFailed != nil {
			lines = append(lines, []string{t.Generator, fmt.Sprintf("%.0f", t.Calls), percent(t.TruthFailed), percent(t.ReportedFailed), share(t.Off)})
		}
	}
	return lines
}

// writeFewer names who made fewer requests than were asked for.
func writeFewer(out *strings.Builder, of Case, r *Result) {
	said := false
	for _, t := range r.Truths {
		if t.Case == of.Name && t.Calls < t.Scheduled {
			said = true
			fmt.Fprintf(out, "  %s made %.0f of the %.0f requests that were asked for, and is held to those\n", t.Generator, t.Calls, t.Scheduled)
		}
	}
	if said {
		fmt.Fprintln(out)
	}
}

// share is an estimate in percent.
func share(e *stats.Estimate) string {
	if e == nil {
		return "-"
	}
	return comparison.Interval(&stats.Estimate{Value: e.Value * 100, Low: e.Low * 100, High: e.High * 100}, "%.2f")
}
