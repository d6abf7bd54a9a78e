// Package live shows a replay while it runs: the incident's clock, the step,
// each journey's success second by second, and what each router knows. On a
// terminal it is a screen that redraws itself, elsewhere plain lines.
package live

import (
	"fmt"
	"io"
	"time"

	"breakbank/bench/replay"
	"breakbank/bench/screen"
)

// Heading says what is being played.
type Heading struct {
	Scenario, Arm, Fallback string
	RatePerS, Pace          float64
	Seed                    uint64
	// Turn and Turns count the arms of one command, from 1.
	Turn, Turns int
	// Expected is how long the whole run should take; 0 when not known.
	Expected time.Duration
	// Started is when it began.
	Started time.Time
}

func (h Heading) String() string {
	text := fmt.Sprintf("%s · arm %s · stand-in %s · %g/s · pace %g · seed %d", h.Scenario, h.Arm, h.Fallback, h.RatePerS, h.Pace, h.Seed)
	if h.Turns > 1 {
		text = fmt.Sprintf("%d of %d · %s", h.Turn, h.Turns, text)
	}
	return text
}

// left is how long the whole command still takes, in words; "" when not known.
func (h Heading) left(now time.Time) string {
	if h.Expected == 0 {
		return ""
	}
	left := max(0, h.Expected-now.Sub(h.Started)).Round(time.Second)
	return fmt.Sprintf("about %v left", left)
}

// View is a way of showing a run.
type View interface {
	replay.Observer
	// Progress shows what is done before and after the script.
	Progress(text string)
	// Close shows the last state and gives the terminal back. It must be
	// called before anything else is written.
	Close()
}

// New returns a screen if out is a terminal, and plain lines otherwise.
func New(out io.Writer, h Heading) View {
	if f, is := screen.Terminal(out); is {
		return newRedrawn(f, h)
	}
	return newLines(out, h)
}
