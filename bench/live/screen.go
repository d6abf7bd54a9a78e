package live

import (
	"fmt"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"breakbank/bench/result"
	"breakbank/bench/screen"
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

// redrawn shows a run on a terminal.
type redrawn struct{ *screen.Screen }

func newRedrawn(out *os.File, h Heading) redrawn {
	return redrawn{screen.Open(out, model{heading: h, now: time.Now()})}
}

func (s redrawn) Progress(text string)   { s.Tell(progress(text)) }
func (s redrawn) Event(e result.Event)   { s.Tell(e) }
func (s redrawn) Second(t result.Second) { s.Tell(t) }

// What the model is told besides result.Event, result.Second and screen.Over.
type (
	progress string
	tick     time.Time
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
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", screen.Bold.Render("breakbank"), screen.Quiet.Render(m.heading.String()))
	fmt.Fprintf(&b, "%s  %s  %s\n\n", screen.Bold.Render(screen.Pad(m.last.Clock, labelWidth)), screen.Bold.Render(screen.Pad(spaced(m.last.Phase), 22)),
		screen.Quiet.Render(strings.TrimSpace(m.progress+"  "+m.heading.left(m.now))))
	room := max(10, m.width-labelWidth-nowWidth-2)
	for _, journey := range result.Journeys() {
		fmt.Fprintf(&b, "%s%s  %s\n", screen.Pad(spaced(journey), labelWidth),
			screen.Pad(percent(m.last.Journeys[journey]), nowWidth), m.history(journey, room))
	}
	b.WriteString("\n" + m.routers() + "\n\n")
	for _, e := range m.events {
		fmt.Fprintf(&b, "%s %s\n", screen.Quiet.Render(screen.Pad(e.Clock, labelWidth)), cut(eventText(e), m.width-labelWidth-1))
	}
	return screen.Full(b.String())
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
		return screen.Good.Render(height)
	case j.Answered() >= 0.5:
		return screen.Fair.Render(height)
	}
	return screen.Poor.Render(height)
}

func (m model) routers() string {
	var b strings.Builder
	b.WriteString(screen.Pad("routers", labelWidth))
	for _, r := range m.last.Routers {
		style := map[string]lipgloss.Style{
			result.RouterLive: screen.Good, result.RouterStale: screen.Fair, result.RouterPoisoned: screen.Dead, result.RouterDown: screen.Poor,
			result.RouterWaiting: screen.Quiet,
		}[r.State]
		fmt.Fprintf(&b, "%s %s  ", r.Node, style.Render(stateText(r)))
	}
	return b.String()
}

func cut(text string, width int) string {
	runes := []rune(text)
	if width < 1 || len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}
