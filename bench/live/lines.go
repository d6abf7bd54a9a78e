package live

import (
	"fmt"
	"io"
	"strings"
	"time"

	"breakbank/bench/result"
)

// lines shows a run as plain lines: one an event, one a second.
type lines struct {
	out     io.Writer
	heading Heading
}

func newLines(out io.Writer, h Heading) *lines {
	fmt.Fprintln(out, h)
	return &lines{out: out, heading: h}
}

func (l *lines) Progress(text string) {
	if left := l.heading.left(time.Now()); left != "" {
		text += " (" + left + ")"
	}
	fmt.Fprintln(l.out, text)
}

func (l *lines) Event(e result.Event) {
	if text := eventText(e); text != "" {
		fmt.Fprintf(l.out, "%-8s -- %s\n", e.Clock, text)
	}
}

func (l *lines) Second(s result.Second) {
	var text strings.Builder
	fmt.Fprintf(&text, "%-8s %-21s", s.Clock, spaced(s.Phase))
	for _, journey := range result.Journeys() {
		fmt.Fprintf(&text, " %s %s", spaced(journey), percent(s.Journeys[journey]))
	}
	if routers := routersText(s); routers != "" {
		text.WriteString("  " + routers)
	}
	fmt.Fprintln(l.out, text.String())
}

func (l *lines) Close() {}

// eventText says an event in a line, or "" for what is not worth one.
func eventText(e result.Event) string {
	switch e.Kind {
	case result.EventPhase:
		return "phase " + spaced(e.ID)
	case result.EventStep, result.EventAlert, result.EventNote, result.EventFault:
		return e.Text
	case result.EventStepDone:
		text := fmt.Sprintf("done in %.1f s: %s", float64(e.TookMs)/1000, e.Text)
		return text
	case result.EventStepSkipped:
		return "left out: " + e.Text
	case result.EventStepFailed:
		return fmt.Sprintf("FAILED: %s: %s", e.Text, e.Error)
	}
	return ""
}

// percent is the share of a second's journeys that were ok or rightly declined,
// with what a fallback answered beside it.
func percent(j result.Journey) string {
	if j.Offered == 0 {
		return "  –"
	}
	text := fmt.Sprintf("%3.0f%%", 100*j.Good())
	if j.Degraded > 0 {
		text += fmt.Sprintf("+%.0f%%", 100*j.DegradedShare())
	}
	return text
}

// routersText names the routers that are not live.
func routersText(s result.Second) string {
	var odd []string
	for _, r := range s.Routers {
		if r.State != result.RouterLive {
			odd = append(odd, r.Node+" "+stateText(r))
		}
	}
	return strings.Join(odd, ", ")
}

func stateText(r result.RouterPoint) string {
	if r.State == result.RouterStale {
		return fmt.Sprintf("%s %.0fs", r.State, float64(r.AgeMs)/1000)
	}
	return r.State
}

func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }
