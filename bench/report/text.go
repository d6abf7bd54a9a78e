package report

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"breakbank/bench/result"
)

// Text is a result as one reads it in a terminal: phases × journeys, what was
// expected and not seen, the impact, the books, and the verdict.
func Text(r *result.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, arm %s, stand-in %s, %g/s\n%s\n\n", r.Scenario, r.Arm, r.Fallback, r.RatePerS, headline(r))
	b.WriteString("Served (ok, or rightly declined) + answered by a fallback, in %\n")
	b.WriteString(phaseTable(r) + "\n\n")
	if unseen := unseenText(r); unseen != "" {
		b.WriteString(unseen + "\n")
	}
	b.WriteString(factsText(append(tiles(r), impact(r)...)) + "\n")
	b.WriteString(booksText(r) + "\n")
	fmt.Fprintf(&b, "%s\n", verdict(r.Valid, r.Partial, r.Illustrative))
	for _, reason := range r.InvalidReasons {
		fmt.Fprintf(&b, "  invalid: %s\n", reason)
	}
	for _, reason := range r.IllustrativeReasons {
		fmt.Fprintf(&b, "  illustrative: %s\n", reason)
	}
	return b.String()
}

// CompareText is the table of arms, and why it should be read with care.
func CompareText(results []*result.Result) string {
	c := result.Compare(results)
	t := newTable("arm", "total outage", "partial outage", "payments failed", "unanswered", "stood in", "customer-minutes", "books", "verdict")
	for _, row := range compare(c) {
		t.Row(row.Arm, row.Full, row.Partial, row.Failed, row.Unanswered, row.StoodIn, row.Minutes, row.Books, row.Verdict)
	}
	text := t.String()
	for _, caution := range c.Cautions {
		text += "\n  caution: " + caution
	}
	return text
}

func phaseTable(r *result.Result) string {
	t := newTable(append([]string{"phase", "from", "lasted"}, spaced(r.JourneyNames())...)...)
	for _, row := range phaseRows(r) {
		cells := []string{row.Name, row.Clock, row.Seconds}
		for _, c := range row.Cells {
			cells = append(cells, strings.TrimSuffix(strings.TrimSpace(c.Served+" "+c.Degraded), " degraded"))
		}
		t.Row(cells...)
	}
	return t.String()
}

// unseenText says how the run compares with what its arm must show.
func unseenText(r *result.Result) string {
	if len(r.Expectations) == 0 {
		return ""
	}
	var missing []string
	for _, e := range r.Expectations {
		if !e.Seen {
			missing = append(missing, fmt.Sprintf("  not seen: %s, %s must be %s, was %s", spacedName(e.Phase), spacedName(e.Journey), e.Expected, observed(e)))
		}
	}
	text := fmt.Sprintf("Of %d things that this arm must show, %d were seen.\n", len(r.Expectations), len(r.Expectations)-len(missing))
	return text + strings.Join(missing, "\n")
}

func factsText(facts []fact) string {
	var b strings.Builder
	for _, f := range facts {
		fmt.Fprintf(&b, "  %-26s %12s  %s\n", f.Name, f.Value, f.Note)
	}
	return b.String()
}

func booksText(r *result.Result) string {
	if !r.Audit.Ran {
		return "The books were not audited."
	}
	var b strings.Builder
	words := "The books balance."
	if !r.Audit.Passed {
		words = "THE BOOKS DO NOT BALANCE."
	}
	b.WriteString(words + "\n")
	for _, c := range r.Audit.Checks {
		mark := "holds"
		if !c.Passed {
			mark = "BROKEN"
		}
		fmt.Fprintf(&b, "  %-34s %-6s %9s checked  %s\n", c.Name, mark, count(c.Checked), c.Detail)
	}
	return b.String()
}

func newTable(headers ...string) *table.Table {
	return table.New().Border(lipgloss.NormalBorder()).BorderRow(false).BorderColumn(false).
		BorderLeft(false).BorderRight(false).BorderTop(false).BorderBottom(false).
		Headers(headers...).
		StyleFunc(func(_, column int) lipgloss.Style {
			style := lipgloss.NewStyle().PaddingRight(2)
			if column > 0 {
				style = style.Align(lipgloss.Right)
			}
			return style
		})
}
