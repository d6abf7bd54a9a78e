package live

import (
	"fmt"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"breakbank/bench/load"
	"breakbank/bench/screen"
)

const (
	// secondsKept is more than the widest terminal has dots.
	secondsKept = 2000
	// widthDefault is that of a terminal which has not told its own yet.
	widthDefault = 80
	labelWidth   = 13
	cellWidth    = 9
	barWidth     = 30
)

// redrawn shows a load on a terminal.
type redrawn struct{ *screen.Screen }

func newRedrawn(out *os.File, heading string) redrawn {
	return redrawn{screen.Open(out, model{heading: heading})}
}

func (s redrawn) Progress(text string) { s.Tell(progress(text)) }
func (s redrawn) Tick(t load.Tick)     { s.Tell(t) }

// progress is what the model is told besides load.Tick and screen.Over.
type progress string

// model is what the screen shows.
type model struct {
	heading  string
	width    int
	progress string
	ticked   bool
	last     load.Tick
	p50, p99 []*float64 // of the last second, by tick
	over     bool
}

func (m model) Init() tea.Cmd { return nil }

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width = msg.Width
	case progress:
		m.progress = string(msg)
	case load.Tick:
		m.last, m.ticked, m.progress = msg, true, ""
		m.p50 = latest(append(m.p50, msg.Last.P50), secondsKept)
		m.p99 = latest(append(m.p99, msg.Last.P99), secondsKept)
	case screen.Over:
		m.over = true
		return m, tea.Quit
	}
	return m, nil
}

func (m model) View() tea.View {
	if m.over {
		return tea.NewView("")
	}
	width := m.width
	if width <= 0 {
		width = widthDefault
	}
	var b strings.Builder
	what, how, _ := strings.Cut(m.heading, " · ")
	fmt.Fprintf(&b, "%s  %s\n%s\n", screen.Bold.Render("breakbank load"), screen.Bold.Render(what), screen.Quiet.Render(how))
	if m.ticked {
		m.figures(&b, width)
	} else {
		b.WriteString("\n" + m.progress + "\n")
	}
	return screen.Full(fit(b.String(), width))
}

// figures writes everything that a tick tells.
func (m model) figures(b *strings.Builder, width int) {
	t := m.last
	where := progressText(t)
	if m.progress != "" {
		where = m.progress
	}
	fmt.Fprintf(b, "%s  %s\n\n", bar(t.At, t.Of), where)
	fmt.Fprintf(b, "%s%s  %s of what has ended, %s in all\n", screen.Bold.Render(screen.Pad("goodput", labelWidth)),
		goodStyle(t).Bold(true).Render(grouped(int64(t.GoodPerS))+"/s"), goodStyle(t).Render(goodShare(t)), grouped(t.Good))
	fmt.Fprintf(b, "%soffered %s   sent %s   done %s   in flight %s\n\n", screen.Pad(fmt.Sprintf("%s/s", grouped(int64(t.RatePerS))), labelWidth),
		grouped(t.Offered), grouped(t.Sent), grouped(t.Done), grouped(t.InFlight))

	fmt.Fprintf(b, "%s", screen.Quiet.Render(screen.Pad("ms", labelWidth)))
	for _, name := range []string{"p50", "p90", "p99", "p99.9", "max"} {
		fmt.Fprintf(b, "%s", screen.Quiet.Render(left(name, cellWidth)))
	}
	b.WriteByte('\n')
	latencies(b, "last second", t.Last)
	latencies(b, "response", t.Overall)
	latencies(b, "send delay", t.SendDelay)

	fmt.Fprintf(b, "\nresponse by second, ms   %s p50   %s p99\n", screen.Good.Render("⠤⠤"), screen.Fair.Render("⠤⠤"))
	b.WriteString(plot(width-axisWidth-1, series{m.p50, screen.Good}, series{m.p99, screen.Fair}))

	if len(t.Errors) > 0 {
		fmt.Fprintf(b, "\n%s%s\n", screen.Poor.Render(screen.Pad("errors", labelWidth)), errorsText(t.Errors))
	}
	if t.Degraded > 0 {
		fmt.Fprintf(b, "%s%s, answered by a fallback\n", screen.Pad("degraded", labelWidth), grouped(t.Degraded))
	}
	if t.Retries > 0 {
		fmt.Fprintf(b, "%s%s, counted apart\n", screen.Pad("retries", labelWidth), grouped(t.Retries))
	}
	if t.Workers != "" {
		fmt.Fprintf(b, "%s%s\n", screen.Pad("workers", labelWidth), t.Workers)
	}
}

func latencies(b *strings.Builder, label string, l load.Latency) {
	b.WriteString(screen.Pad(label, labelWidth))
	for _, ms := range []*float64{l.P50, l.P90, l.P99, l.P999, l.Max} {
		b.WriteString(left(cell(ms), cellWidth))
	}
	b.WriteByte('\n')
}

// goodStyle colours the share that is good.
func goodStyle(t load.Tick) lipgloss.Style {
	switch {
	case t.Done == 0 || t.Good*1000 >= t.Done*999:
		return screen.Good
	case t.Good*100 >= t.Done*95:
		return screen.Fair
	}
	return screen.Poor
}

// bar shows how much of a phase is over.
func bar(at, of time.Duration) string {
	if of <= 0 {
		return ""
	}
	filled := min(barWidth, int(int64(barWidth)*int64(at)/int64(of)))
	return screen.Good.Render(strings.Repeat("━", filled)) + screen.Quiet.Render(strings.Repeat("─", barWidth-filled))
}

// left pads at the left.
func left(text string, width int) string {
	return strings.Repeat(" ", max(0, width-lipgloss.Width(text))) + text
}

// fit cuts each line to the width of the terminal.
func fit(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], width, "…")
	}
	return strings.Join(lines, "\n")
}
