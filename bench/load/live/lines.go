package live

import (
	"fmt"
	"io"
	"strings"

	"breakbank/bench/load"
)

// lines shows a load as plain lines, one a tick.
type lines struct{ out io.Writer }

func newLines(out io.Writer, heading string) *lines {
	fmt.Fprintln(out, heading)
	return &lines{out}
}

func (l *lines) Progress(text string) { fmt.Fprintln(l.out, text) }

func (l *lines) Tick(t load.Tick) { fmt.Fprintln(l.out, lineText(t)) }

func (l *lines) Close() {}

// lineText is a tick in one line.
func lineText(t load.Tick) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s %5.1f s  good %.0f/s (%s)  offered %s  sent %s  done %s  in flight %s",
		phaseWords[t.Phase], t.At.Seconds(), t.GoodPerS, goodShare(t), grouped(t.Offered), grouped(t.Sent), grouped(t.Done), grouped(t.InFlight))
	fmt.Fprintf(&b, "  p50 %s p99 %s max %s ms  send delay p99 %s ms",
		cell(t.Last.P50), cell(t.Last.P99), cell(t.Last.Max), cell(t.SendDelay.P99))
	if t.Degraded > 0 {
		fmt.Fprintf(&b, "  degraded %s", grouped(t.Degraded))
	}
	if t.Retries > 0 {
		fmt.Fprintf(&b, "  retries %s", grouped(t.Retries))
	}
	if t.Workers != "" {
		b.WriteString("  " + t.Workers)
	}
	if len(t.Errors) > 0 {
		b.WriteString("  " + errorsText(t.Errors))
	}
	return b.String()
}
