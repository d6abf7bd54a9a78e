// Package live shows a load while it runs: goodput first, what was offered,
// sent and done, latency of late and of all, errors, and latency over time. On a
// terminal it is a screen that redraws itself, elsewhere plain lines.
package live

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"breakbank/bench/load"
	"breakbank/bench/screen"
)

// View is a way of showing a load.
type View interface {
	load.Observer
	// Close shows the last state and gives the terminal back. It must be called
	// before anything else is written.
	Close()
}

// New returns a screen if out is a terminal, and plain lines otherwise. heading
// says what is being offered.
func New(out io.Writer, heading string) View {
	if f, is := screen.Terminal(out); is {
		return newRedrawn(f, heading)
	}
	return newLines(out, heading)
}

// phaseWords name the phases for people.
var phaseWords = map[string]string{load.PhaseWarmUp: "warm-up", load.PhaseMain: "load"}

// progressText says where a load is.
func progressText(t load.Tick) string {
	at := min(t.At, t.Of)
	text := fmt.Sprintf("%s %s of %s", phaseWords[t.Phase], seconds(at), seconds(t.Of))
	switch left := t.Of - t.At; {
	case left > 0:
		text += ", " + seconds(left) + " left"
	case t.InFlight > 0:
		text += fmt.Sprintf(", waiting for %s answers", grouped(t.InFlight))
	}
	return text
}

// errorsText lists error codes, the most frequent first.
func errorsText(errors map[string]int64) string {
	codes := make([]string, 0, len(errors))
	for code := range errors {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b string) int {
		if d := errors[b] - errors[a]; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return strings.Compare(a, b)
	})
	for i, code := range codes {
		codes[i] = code + " " + grouped(errors[code])
	}
	return strings.Join(codes, " · ")
}

// goodShare is the share of what has ended that was good, in percent.
func goodShare(t load.Tick) string {
	if t.Done == 0 {
		return "–"
	}
	// Rounded down: 99.999 % must not read as all.
	percent := float64(t.Good*10_000/t.Done) / 100
	return strconv.FormatFloat(percent, 'f', 2, 64) + " %"
}

// cell is a latency of a table; nothing where there are too few samples.
func cell(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return load.Millis(*ms)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

// grouped writes a count with a comma every three digits.
func grouped(n int64) string { return load.Grouped(n) }
