package doctor

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"breakbank/bench/screen"
)

// Text is the findings as a table, a line each, and what they come to. Colours
// are for terminals only.
func Text(findings []Finding, colours bool) string {
	var levels, names, values int
	for _, f := range findings {
		levels, names = max(levels, lipgloss.Width(string(f.Level))), max(names, lipgloss.Width(f.Name))
		values = max(values, lipgloss.Width(f.Value))
	}
	var b strings.Builder
	counts := map[Level]int{}
	for _, f := range findings {
		counts[f.Level]++
		level := screen.Pad(string(f.Level), levels)
		if colours {
			level = styleOf(f.Level).Render(level)
		}
		fmt.Fprintf(&b, "%s  %s  %s  %s\n", level, screen.Pad(f.Name, names), screen.Pad(f.Value, values), f.Means)
	}
	fmt.Fprintf(&b, "\n%d ok, %d warn, %d bad\n", counts[OK], counts[Warn], counts[Bad])
	return b.String()
}

func styleOf(l Level) lipgloss.Style {
	switch l {
	case OK:
		return screen.Good
	case Warn:
		return screen.Fair
	}
	return screen.Poor
}
