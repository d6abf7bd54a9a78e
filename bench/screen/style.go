package screen

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// Styles of what is shown: how it is said, and how well it goes.
var (
	Bold  = lipgloss.NewStyle().Bold(true)
	Quiet = lipgloss.NewStyle().Faint(true)
	Good  = lipgloss.NewStyle().Foreground(lipgloss.Color("#3c9a8a"))
	Fair  = lipgloss.NewStyle().Foreground(lipgloss.Color("#e6b045"))
	Poor  = lipgloss.NewStyle().Foreground(lipgloss.Color("#c9473d"))
	Dead  = lipgloss.NewStyle().Foreground(lipgloss.Color("#8c3fa0"))
)

// Pad fills a text up to a width.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}
