package soak

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Text is a soak as it is printed: a line a process, then what is not flat.
func Text(r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%g/s for %.0f s after %.0f s of warm-up; %d sent, %.2f %% good\n\n", r.Load.RatePerS, r.DurationS, r.WarmUpS, r.Load.Sent, 100*r.Load.GoodShare)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head := []string{"PROCESS", "ROLE"}
	for _, s := range Table {
		name := strings.ToUpper(s.Name)
		if s.Unit != "" {
			name += " " + s.Unit
		}
		head = append(head, name, "GROWTH (95 %)")
	}
	fmt.Fprintln(w, strings.Join(append(head, "VERDICT"), "\t"))
	var not []ProcessResult
	for _, p := range r.Processes {
		row := []string{p.Name, p.Role}
		for _, s := range Table {
			row = append(row, cells(s, p)...)
		}
		fmt.Fprintln(w, strings.Join(append(row, string(p.Verdict)), "\t"))
		if p.Verdict != Flat {
			not = append(not, p)
		}
	}
	_ = w.Flush() // Memory takes everything.
	b.WriteByte('\n')
	for _, p := range not {
		fmt.Fprintf(&b, "%s %s: %s\n", p.Name, p.Verdict, p.Why)
	}
	switch {
	case r.Partial:
		b.WriteString("PARTIAL: stopped before its end\n")
	case !r.Load.Carried():
		fmt.Fprintf(&b, "NO SOAK: %.1f %% of the load was sent, %.1f %% answered well\n", 100*r.Load.SentShare, 100*r.Load.GoodShare)
	case r.Flat:
		fmt.Fprintf(&b, "FLAT: all %d processes stayed as they were\n", len(r.Processes))
	default:
		fmt.Fprintf(&b, "NOT FLAT: %d of %d processes\n", len(not), len(r.Processes))
	}
	for _, note := range r.Load.Notes {
		fmt.Fprintf(&b, "of the load: %s\n", note)
	}
	return b.String()
}

// cells are the level and the growth of a series.
func cells(s Series, p ProcessResult) []string {
	i := slices.IndexFunc(p.Series, func(r SeriesResult) bool { return r.Name == s.Name })
	if i < 0 {
		return []string{"-", "-"}
	}
	g := p.Series[i].Growth
	return []string{fmt.Sprintf("%.1f", g.Mean/s.Per), fmt.Sprintf("%+.1f (%+.1f…%+.1f)", g.Value/s.Per, g.Low/s.Per, g.High/s.Per)}
}

// growthText is a growth with its interval.
func growthText(s Series, g Growth) string {
	return fmt.Sprintf("%+.1f (%+.1f…%+.1f)%s", g.Value/s.Per, g.Low/s.Per, g.High/s.Per, unit(s))
}

// amount is a value of a series.
func amount(s Series, value float64) string { return fmt.Sprintf("%.1f%s", value/s.Per, unit(s)) }

func unit(s Series) string {
	if s.Unit == "" {
		return ""
	}
	return " " + s.Unit
}
