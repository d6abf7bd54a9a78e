package live

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"breakbank/bench/golden"
	"breakbank/bench/load"
	"breakbank/bench/screen"
)

func ms(v float64) *float64 { return &v }

// tick is one of a load that loses one in ten.
func tick() load.Tick {
	return load.Tick{
		Phase: load.PhaseMain, At: 12 * time.Second, Of: 30 * time.Second,
		Offered: 12_010, Sent: 12_010, Done: 12_000, Good: 10_800, Degraded: 20, InFlight: 10, Retries: 3, RatePerS: 1001.2, GoodPerS: 899.6,
		Last:      load.Latency{P50: ms(1.2), P90: ms(3), P99: ms(25), Max: ms(61)},
		Overall:   load.Latency{P50: ms(1.1), P90: ms(2.8), P99: ms(22), P999: ms(80), Max: ms(120)},
		SendDelay: load.Latency{P50: ms(0.05), P90: ms(0.08), P99: ms(0.2), P999: ms(1), Max: ms(4)},
		Errors:    map[string]int64{"UNAVAILABLE": 1100, "DEADLINE_EXCEEDED": 100}, Workers: "0 of 2 workers done",
	}
}

const heading = "bank.v1.Payments/Pay at 127.0.0.1:50051 · poisson 1000/s · 30s · seed 1"

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	view := New(&out, heading) // A buffer is no terminal.
	view.Progress("connecting")
	view.Tick(tick())
	empty := load.Tick{Phase: load.PhaseWarmUp, At: time.Second, Of: 5 * time.Second}
	view.Tick(empty)
	view.Close()
	golden.Check(t, filepath.Join("testdata", "lines.txt"), out.String())
}

func TestTheScreen(t *testing.T) {
	for _, width := range []int{80, 40} {
		var m tea.Model = model{heading: heading}
		m, _ = m.Update(tea.WindowSizeMsg{Width: width, Height: 30})
		m, _ = m.Update(progress("connecting"))
		if content := ansi.Strip(m.View().Content); !strings.Contains(content, "connecting") {
			t.Errorf("before the first tick:\n%s", content)
		}
		for i := range 40 {
			next := tick()
			next.Last.P50, next.Last.P99 = ms(1+0.2*math.Sin(float64(i)/3)), ms(25*math.Exp(math.Sin(float64(i)/4)))
			if i == 20 {
				next.Last.P50, next.Last.P99 = nil, nil
			}
			m, _ = m.Update(next)
		}
		content := m.View().Content
		for line := range strings.Lines(content) {
			if w := ansi.StringWidth(strings.TrimRight(line, "\n")); w > width {
				t.Errorf("a line is %d wide: %q", w, line)
			}
		}
		if width == 80 {
			golden.Check(t, filepath.Join("testdata", "screen.txt"), ansi.Strip(content))
		}
	}
}

func TestTheScreenIsClearedAtTheEnd(t *testing.T) {
	var m tea.Model = model{heading: heading}
	m, _ = m.Update(tick())
	m, command := m.Update(screen.Over{})
	if m.View().Content != "" || command == nil {
		t.Error("the screen stays")
	}
}

func TestPlotsReachOverAllValues(t *testing.T) {
	plain := lipgloss.NewStyle()
	for name, values := range map[string][]*float64{
		"one value":     {ms(3)},
		"a round value": {ms(10), ms(10)},
		"very small":    {ms(0), ms(0.0001)},
		"very far":      {ms(0.01), ms(60_000)},
		"gaps":          {nil, ms(1), nil, ms(2), nil},
		"thousands":     many(10_000),
	} {
		text := plot(30, series{values, plain})
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		if len(lines) != plotLines || !strings.ContainsFunc(text, isBraille) {
			t.Errorf("%s:\n%s", name, text)
		}
		for _, line := range lines {
			if w := ansi.StringWidth(line); w != axisWidth+30 {
				t.Errorf("%s: a line is %d wide", name, w)
			}
		}
	}
	if text := plot(30, series{[]*float64{nil, nil}, plain}); text != "" {
		t.Errorf("a plot of nothing: %q", text)
	}
}

func isBraille(r rune) bool { return r > brailleBase && r < brailleBase+256 }

func many(n int) []*float64 {
	values := make([]*float64, n)
	for i := range values {
		values[i] = ms(float64(1 + i%50))
	}
	return values
}

// TestTheRowOfAValue: the bottom line is the lower end of the scale, the top line
// the upper.
func TestTheRowOfAValue(t *testing.T) {
	const last = plotLines*dotsHigh - 1
	for v, want := range map[float64]int{0.1: last, 0.01: last, 10: 0, 100: 0, 1: last/2 + 1} {
		if got := row(v, 0.1, 10); got != want && got != want-1 {
			t.Errorf("%g is on line %d, not %d", v, got, want)
		}
	}
}
