package peers

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"breakbank/bench/stats"
)

// Text is the result for people: a table a case, the bars, the verdict.
func Text(r *Result) string {
	var out strings.Builder
	for _, of := range r.Cases {
		writeCase(&out, of, r)
	}
	writeBars(&out, r)
	writeMissing(&out, r.Missing)
	fmt.Fprintf(&out, "%s\n", heading(r))
	for _, reason := range r.InvalidReasons {
		fmt.Fprintf(&out, "  %s\n", reason)
	}
	for _, reason := range r.IllustrativeReasons {
		fmt.Fprintf(&out, "  illustrative: %s\n", reason)
	}
	return out.String()
}

func heading(r *Result) string {
	verdict := "VALID"
	if !r.Valid {
		verdict = "INVALID"
	}
	if r.Partial {
		verdict += ", partial"
	}
	e := r.Environment
	var versions []string
	for _, name := range Names() {
		if v := e.Versions[name]; v != "" {
			versions = append(versions, name+" "+v)
		}
	}
	return fmt.Sprintf("%s: %s of %.2g s windows, %d cores (%s), %s, %s%s", verdict, plural(r.Blocks, "block"), r.WindowS,
		e.Cores, e.Machine, e.Kernel, e.Go, strings.Join(append([]string{""}, versions...), ", "))
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
		added := [2]string{interval(c.AddedP50Ms, "%.3f"), interval(c.AddedP99Ms, "%.2f")}
		if !c.KeptUp {
			added = [2]string{"did not", "keep up"}
		}
		fmt.Fprintf(lines, "%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t\n", c.Peer, c.RatePerS.Value,
			interval(c.CPUUs, "%.1f"), interval(c.ToHAProxy, "%.2f"), interval(c.ToRelay, "%.2f"), added[0], added[1])
	}
	if wrote {
		lines.Flush() //nolint:errcheck // to memory
		fmt.Fprintln(out)
	}
}

// interval is an estimate with its interval, or a dash where there is none.
func interval(e *stats.Estimate, format string) string {
	if e == nil {
		return "-"
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", e.Value, e.Low, e.High)
}

func writeBars(out *strings.Builder, r *Result) {
	if len(r.Bars) == 0 {
		return
	}
	fmt.Fprint(out, "bars, as measured (95 % intervals; undecided: the limit is inside)")
	if r.Blocks < blocksToDecide {
		fmt.Fprint(out, "; too few blocks to decide by")
	}
	fmt.Fprintln(out)
	last := ""
	for _, b := range r.Bars {
		if b.Case != last {
			fmt.Fprintf(out, "  %s\n", b.Case)
			last = b.Case
		}
		measured := b.Why
		if b.Measured != nil {
			measured = interval(b.Measured, "%.2f") + " " + b.Unit
		}
		words := b.Verdict
		if b.AimVerdict != "" {
			words += ", aim " + b.AimVerdict
		}
		fmt.Fprintf(out, "    %-24s %s: %s\n", words, b.Says, measured)
	}
	fmt.Fprintln(out)
}

func writeMissing(out *strings.Builder, missing []Missing) {
	for _, m := range missing {
		fmt.Fprintf(out, "left out: %s\n", m)
	}
	if len(missing) > 0 {
		fmt.Fprintln(out)
	}
}
