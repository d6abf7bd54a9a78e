package discovery

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Text is the result as people read it.
func Text(r *Result) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d followers, %d services × %d endpoints, %g changes/s, %d blocks of %g s a kind\n\n",
		r.Routers, r.Services, r.Endpoints, r.ChangesPerS, r.Blocks, r.DurationS)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "from commit to the last follower's use\tp50 ms\tp99 ms\tmax ms\tchanges\tCPU µs a change\tMB each\tregistry CPU ms a change\t")
	for _, c := range r.Cells {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%.0f\t%.2f\t%.2f\t\n", c.Kind, ms(c.LastUse.P50), ms(c.LastUse.P99), ms(c.LastUse.Max),
			c.Changes, c.CPUUs.Value, c.MemoryMB.Value, c.RegistryCPUMs.Value)
	}
	_ = table.Flush() // a strings.Builder takes everything
	for _, c := range r.Cells {
		if c.Warnings+c.DirectReads > 0 {
			fmt.Fprintf(&text, "%s: %d warnings, %d reads of etcd itself\n", c.Kind, c.Warnings, c.DirectReads)
		}
	}
	if len(r.Floods) > 0 {
		fmt.Fprintf(&text, "\nflood: %d changes/s for %g s\n", floodChanges, r.FloodS)
		fmt.Fprintln(table, "\tp50 ms\tp99 ms\tmax ms\tlast change everywhere after ms\tskipped for a newer one\tCPU µs a change\ttaken/s\t")
		for _, f := range r.Floods {
			fmt.Fprintf(table, "%d × %s\t%s\t%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t\n", f.Routers, f.Kind, ms(f.LastUse.P50), ms(f.LastUse.P99), ms(f.LastUse.Max),
				f.DrainedMs, f.Conflated, f.CPUUs, f.RatePerS)
		}
		_ = table.Flush()
	}
	if len(r.Bars) > 0 {
		fmt.Fprintf(&text, "\nwhat must hold of %s (95 %% intervals over blocks)\n", guarded)
		bars := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		for _, b := range r.Bars {
			fmt.Fprintf(bars, "  %s\t%.2f [%.2f, %.2f] %s\t≤ %g\t%s\n", b.Says, b.Measured.Value, b.Measured.Low, b.Measured.High, b.Unit, b.Limit, b.Verdict)
		}
		_ = bars.Flush()
	}
	verdict := "VALID"
	if !r.Valid {
		verdict = "INVALID"
	}
	fmt.Fprintf(&text, "\n%s", verdict)
	if r.Partial {
		fmt.Fprint(&text, " (partial)")
	}
	fmt.Fprintln(&text)
	for _, reason := range r.InvalidReasons {
		fmt.Fprintf(&text, "  %s\n", reason)
	}
	return text.String()
}

func ms(value *float64) string {
	if value == nil {
		return "too few"
	}
	return fmt.Sprintf("%.1f", *value)
}
