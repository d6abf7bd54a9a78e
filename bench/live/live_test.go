package live

import (
	"bytes"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"breakbank/bench/result"
)

var heading = Heading{Scenario: "monzo-2017", Arm: "naive", Fallback: "routed", RatePerS: 500, Pace: 60, Seed: 1}

// second is one with a journey that is half lost and a router that is behind.
func second() result.Second {
	return result.Second{
		TS: 3, Clock: "14:10:30", Phase: "restart_all",
		Journeys: map[string]result.Journey{
			"card_tap":    {Counts: result.Counts{Offered: 100, OK: 30, Degraded: 20, Failed: 50}},
			"app_refresh": {Counts: result.Counts{Offered: 10, OK: 10}},
		},
		Routers: []result.RouterPoint{
			{Node: "a1", State: result.RouterLive},
			{Node: "b1", State: result.RouterStale, AgeMs: 4200},
			{Node: "c1", State: result.RouterDown},
		},
	}
}

func TestPlainLinesSayEachSecondAndEvent(t *testing.T) {
	var out bytes.Buffer
	view := New(&out, heading) // A buffer is no terminal.
	view.Progress("starting: book")
	view.Event(result.Event{Clock: "14:10:00", Kind: result.EventStep, Text: "deploy ledger v2"})
	view.Event(result.Event{Clock: "14:10:00", Kind: result.EventStepFailed, Text: "deploy ledger v2", Error: "no quorum"})
	view.Second(second())
	view.Close()
	const want = `monzo-2017 · arm naive · stand-in routed · 500/s · pace 60 · seed 1
starting: book
14:10:00 -- deploy ledger v2
14:10:00 -- FAILED: deploy ledger v2: no quorum
14:10:30 restart all           card tap  30%+20% prepaid tap   – transfer out   – transfer in   – app refresh 100% cops lookup   –  b1 stale 4s, c1 down
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTheScreenFitsItsWidth(t *testing.T) {
	const width = 80
	var m tea.Model = model{heading: Heading{Arm: "naive"}, now: time.Unix(0, 0)}
	m, _ = m.Update(tea.WindowSizeMsg{Width: width, Height: 30})
	for range 3 * width {
		m, _ = m.Update(second())
	}
	m, _ = m.Update(result.Event{Clock: "14:10", Kind: result.EventStep, Text: strings.Repeat("long ", 60)})
	content := m.View().Content
	for line := range strings.Lines(content) {
		if w := ansi.StringWidth(strings.TrimRight(line, "\n")); w > width {
			t.Errorf("a line is %d wide: %q", w, line)
		}
	}
	for _, want := range []string{"14:10:30", "restart all", "card tap", "30%+20%", "b1 stale 4s"} {
		if !strings.Contains(ansi.Strip(content), want) {
			t.Errorf("the screen lacks %q:\n%s", want, ansi.Strip(content))
		}
	}
}

func TestTheScreenKeepsTheLastEvents(t *testing.T) {
	var m tea.Model = model{}
	for i := range 3 * eventsShown {
		m, _ = m.Update(result.Event{Kind: result.EventStep, Text: string(rune('a' + i))})
	}
	if n := len(m.(model).events); n != eventsShown {
		t.Errorf("%d events are kept, want %d", n, eventsShown)
	}
}

func TestTimeLeftIsNeverNegative(t *testing.T) {
	h := Heading{Expected: time.Minute, Started: time.Unix(0, 0)}
	if left := h.left(time.Unix(20, 0)); left != "about 40s left" {
		t.Errorf("got %q", left)
	}
	if left := h.left(time.Unix(90, 0)); left != "about 0s left" {
		t.Errorf("got %q", left)
	}
}
