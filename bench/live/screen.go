package live

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"breakbank/bench/result"
)

const (
	// eventsShown is how many of the last events the screen keeps.
	eventsShown = 8
	// secondsKept is more than the widest terminal has columns.
	secondsKept = 1000
	// redrawEvery refreshes the time left between two seconds of the run.
	redrawEvery = time.Second
	labelWidth  = 15
	nowWidth    = 11
)

// screen shows a run on a terminal that it redraws. It reads no keys: Ctrl-C
// stays the signal that it is everywhere else.
type screen struct {
	program *tea.Program
	done    sync.WaitGroup
}

func newScreen(out *os.File, h Heading) *screen {
	s := &screen{program: tea.NewProgram(model{heading: h, now: time.Now()},
		tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler())}
	s.done.Go(func() {
		if _, err := s.program.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "live view:", err)
		}
	})
	return s
}

func (s *screen) Progress(text string)   { s.program.Send(progress(text)) }
func (s *screen) Event(e result.Event)   { s.program.Send(e) }
func (s *screen) Second(t result.Second) { s.program.Send(t) }

func (s *screen) Close() {
	s.program.Send(over{})
	s.done.Wait()
}

// What the model is told besides result.Event and result.Second.
type (
	progress string
	tick     time.Time
	over     struct{}
)

// model is what the screen shows.
type model struct {
	heading  Heading
	width    int
	now      time.Time
	progress string
	last     result.Second
	seconds  []result.Second
	events   []result.Event
	over     bool
}

func nextTick() tea.Cmd { return tea.Tick(redrawEvery, func(t time.Time) tea.Msg { return tick(t) }) }

func (m model) Init() tea.Cmd { return nextTick() }

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width = msg.Width
	case tick:
		m.now = time.Time(msg)
		return m, nextTick()
	case progress:
		m.progress = string(msg)
	case result.Second:
		m.last, m.progress = msg, "" // What was said before the load began is over.
		m.seconds = append(m.seconds, msg)
		m.seconds = m.seconds[max(0, len(m.seconds)-secondsKept):]
	case result.Event:
		if eventText(msg) != "" {
			m.events = append(m.events, msg)
			m.events = m.events[max(0, len(m.events)-eventsShown):]
		}
	case over:
		m.over = true
		return m, tea.Quit
	}
	return m, nil
}

var (
	bold  = lipgloss.NewStyle().Bold(true)
	quiet = lipgloss.NewStyle().Faint(true)
	good  = lipgloss.NewStyle().Foreground(lipgloss.Color("#3c9a8a"))
	fair  = lipgloss.NewStyle().Foreground(lipgloss.Color("#e6b045"))
	poor  = lipgloss.NewStyle().Foreground(lipgloss.Color("#c9473d"))
	dead  = lipgloss.NewStyle().Foreground(lipgloss.Color("#8c3fa0"))
)

func (m model) View() tea.View {
	if m.over {
		return tea.NewView("")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", bold.Render("breakbank"), quiet.Render(m.heading.String()))
	fmt.Fprintf(&b, "%s  %s  %s\n\n", bold.Render(pad(m.last.Clock, labelWidth)), bold.Render(pad(spaced(m.last.Phase), 22)),
		quiet.Render(strings.TrimSpace(m.progress+"  "+m.heading.left(m.now))))
	room := max(10, m.width-labelWidth-nowWidth-2)
	for _, journey := range result.Journeys() {
		fmt.Fprintf(&b, "%s%s  %s\n", pad(spaced(journey), labelWidth),
			pad(percent(m.last.Journeys[journey]), nowWidth), m.history(journey, room))
	}
	b.WriteString("\n" + m.routers() + "\n\n")
	for _, e := range m.events {
		fmt.Fprintf(&b, "%s %s\n", quiet.Render(pad(e.Clock, labelWidth)), cut(eventText(e), m.width-labelWidth-1))
	}
	v := tea.NewView(b.String())
	v.AltScreen = true
	return v
}

// history draws one character a second, the newest at the right.
func (m model) history(journey string, room int) string {
	seconds := m.seconds[max(0, len(m.seconds)-room):]
	var b strings.Builder
	for _, s := range seconds {
		b.WriteString(bar(s.Journeys[journey]))
	}
	return b.String()
}

// bar is a journey's second as a character: as high as what was answered, in
// the colour of how well.
func bar(j result.Journey) string {
	if j.Offered == 0 {
		return " "
	}
	const heights = "▁▂▃▄▅▆▇█"
	steps := []rune(heights)
	height := string(steps[min(len(steps)-1, int(j.Answered()*float64(len(steps))))])
	switch {
	case j.Good() >= 0.99:
		return good.Render(height)
	case j.Answered() >= 0.5:
		return fair.Render(height)
	}
	return poor.Render(height)
}

func (m model) routers() string {
	var b strings.Builder
	b.WriteString(pad("routers", labelWidth))
	for _, r := range m.last.Routers {
		style := map[string]lipgloss.Style{
			result.RouterLive: good, result.RouterStale: fair, result.RouterPoisoned: dead, result.RouterDown: poor,
			result.RouterWaiting: quiet,
		}[r.State]
		fmt.Fprintf(&b, "%s %s  ", r.Node, style.Render(stateText(r)))
	}
	return b.String()
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}

func cut(text string, width int) string {
	runes := []rune(text)
	if width < 1 || len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}
