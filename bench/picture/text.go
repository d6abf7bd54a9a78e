package picture

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Text is a comparison as it is printed: what both show alike once, where they
// differ both, and below the figures of the differences.
func Text(c Comparison) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, side := range []struct {
		name string
		Side
	}{{"A", c.A}, {"B", c.B}} {
		fmt.Fprintf(w, "%s\t%s\t%s\tfallback %s\t%s\t%s\t%s\n", side.name, side.Scenario, side.Arm, side.Fallback, side.Topology, verdict(side.Side), side.RunID)
	}
	flush(w)
	for _, caution := range c.Cautions {
		fmt.Fprintf(&b, "caution: %s\n", caution)
	}
	b.WriteByte('\n')

	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "PHASE\t%s\n", strings.Join(c.Names, "\t"))
	for _, row := range c.Rows {
		cells := make([]string, 0, len(c.Names))
		for _, name := range c.Names {
			cells = append(cells, pairText(row.Pairs[name]))
		}
		fmt.Fprintf(w, "%s\t%s\n", row.Phase, strings.Join(cells, "\t"))
	}
	flush(w)
	b.WriteString("dead < 5 % answered, failing < 50 %, partial < 99 %, well; few: under " + fmt.Sprint(countMin) + " decided, not compared\n" +
		"≠ they differ, ~ they do not: too close, or not in a phase that is compared\n\n")
	if c.Differences == 0 {
		b.WriteString("The pictures are the same.\n")
		return b.String()
	}
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DIFFERENT\tJOURNEY\tA\tB")
	for _, row := range c.Rows {
		if row.InA != row.InB {
			fmt.Fprintf(w, "%s\tall\t%s\t%s\n", row.Phase, has(row.InA), has(row.InB))
		}
		for _, name := range c.Names {
			if pair := row.Pairs[name]; pair.Differ {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Phase, name, figures(pair.A), figures(pair.B))
			}
		}
	}
	flush(w)
	return b.String()
}

// flush writes to memory, which takes everything.
func flush(w *tabwriter.Writer) { _ = w.Flush() }

func verdict(s Side) string {
	switch {
	case s.Partial:
		return "PARTIAL"
	case !s.Valid:
		return "INVALID"
	}
	return "VALID"
}

func has(is bool) string {
	if is {
		return "has the phase"
	}
	return "has it not"
}

// pairText is what both show, or one and the other: after "~" not far enough from
// it, or not in a phase, in which that would mean something.
func pairText(p Pair) string {
	switch {
	case p.Differ:
		return p.A.String() + " ≠ " + p.B.String()
	case p.A.Band == Few:
		return p.B.String()
	case p.B.Band != Few && p.A.String() != p.B.String():
		return p.A.String() + " ~ " + p.B.String()
	}
	return p.A.String()
}

func figures(c Cell) string {
	return fmt.Sprintf("%s: %.1f %% of %d answered, %.1f %% of those by a fallback", c, 100*c.Answered, c.Offered, 100*c.Fallback)
}
