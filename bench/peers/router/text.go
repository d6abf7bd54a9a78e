package peers

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"breakbank/bench/peers/comparison"
)

// Text is the result for people: a table a case, the bars, the verdict.
func Text(r *Result) string {
	var out strings.Builder
	for _, of := range r.Cases {
		writeCase(&out, of, r)
	}
	comparison.WriteBars(&out, r.Bars, r.Decided(), "%.2f", 24)
	comparison.WriteMissing(&out, r.Missing)
	comparison.WriteVerdict(&out, &r.Envelope, r.Done(), r.Environment, Names())
	return out.String()
}

// writeCase writes the table of one case: a line a peer.
func writeCase(out *strings.Builder, of Case, r *Result) {
	lines := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	wrote := false
	for _, c := range r.Cells {
		if c.Case != of.Name {
			continue
		}
		if !wrote {
			fmt.Fprintf(out, "%s\n", of.Name)
			fmt.Fprintln(lines, "peer\trequests/s\tCPU µs/request\tx haproxy\tx relay\tadded p50 ms\tadded p99 ms\t")
			wrote = true
		}
		added := [2]string{comparison.Interval(c.AddedP50Ms, "%.3f"), comparison.Interval(c.AddedP99Ms, "%.2f")}
		if !c.KeptUp {
			added = [2]string{"did not", "keep up"}
		}
		fmt.Fprintf(lines, "%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t\n", c.Peer, c.RatePerS.Value,
			comparison.Interval(c.CPUUs, "%.1f"), comparison.Interval(c.ToHAProxy, "%.2f"), comparison.Interval(c.ToRelay, "%.2f"), added[0], added[1])
	}
	if wrote {
		lines.Flush() //nolint:errcheck // to memory
		fmt.Fprintln(out)
	}
}
