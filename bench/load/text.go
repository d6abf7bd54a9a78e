package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/recording"
)

// errorsShown is how many kinds of failure are printed; result.json has more.
const errorsShown = 10

// Heading says in a line what a load is.
func Heading(s Spec) string {
	words := []string{s.scenario()}
	if len(s.Targets) > 0 {
		words[0] += " at " + strings.Join(s.Targets, ", ")
	}
	if s.Closed > 0 {
		words = append(words, fmt.Sprintf("closed loop of %d", s.Closed))
	} else if p, err := s.pacer(s.Duration); err == nil {
		words = append(words, pacer.Text(p))
	}
	words = append(words, s.Duration.String())
	if s.WarmUp > 0 {
		words = append(words, "after "+s.WarmUp.String()+" of warm-up")
	}
	return strings.Join(append(words, "seed "+strconv.FormatUint(s.Seed, 10)), " · ")
}

func rate(perS float64) string { return strconv.FormatFloat(perS, 'f', -1, 64) + "/s" }

// Text is a result as one reads it in a terminal: goodput, the three clocks,
// outcomes and failures, thresholds, the generator, and the verdict.
func Text(r *Result) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s"+format+"\n", append([]any{name}, args...)...)
	}
	line("goodput", "%s", goodputWords(r))
	line("offered", "%s", offeredWords(r))
	b.WriteByte('\n')
	clocksText(&b, r)
	b.WriteByte('\n')
	line("outcomes", "%s", outcomesWords(r.Totals.Totals))
	journeysText(&b, r)
	errorsText(&b, r.Errors)
	if r.Retries.Offered > 0 {
		line("retries", "%s more tries, in no other figure: %s", Grouped(r.Retries.Offered), tallyWords(r.Retries))
	}
	for i, t := range r.Thresholds {
		name := ""
		if i == 0 {
			name = "thresholds"
		}
		line(name, "%-6s  %s", keptWords(t), t)
	}
	line("generator", "%s", generatorWords(r))
	for _, w := range r.Workers {
		line("  "+w.Name, "%s", workerWords(w))
	}
	line("schedule", "sha256 %s", r.ScheduleSHA256)
	for i, text := range r.LeftOut {
		name := ""
		if i == 0 {
			name = "left out"
		}
		line(name, "%s", text)
	}
	fmt.Fprintf(&b, "\n%s\n", verdictWords(r))
	for _, reason := range r.InvalidReasons {
		fmt.Fprintf(&b, "  invalid: %s\n", reason)
	}
	for _, reason := range r.IllustrativeReasons {
		fmt.Fprintf(&b, "  illustrative: %s\n", reason)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	return b.String()
}

func goodputWords(r *Result) string {
	words := fmt.Sprintf("%s/s, %s of the schedule", Grouped(int64(r.Goodput.PerS)), percent(r.Goodput.Share))
	if r.Goodput.ObjectiveMs > 0 {
		return words + fmt.Sprintf(" answered well within %s ms", plain(r.Goodput.ObjectiveMs))
	}
	return words + " answered well"
}

func offeredWords(r *Result) string {
	t := r.Totals
	words := fmt.Sprintf("%s scheduled, %s sent (%.1f/s)", Grouped(t.Scheduled), Grouped(t.Sent), t.RatePerS)
	if n := t.Scheduled - t.Sent; n > 0 {
		words += fmt.Sprintf(", %s never sent, which count as failed", Grouped(n))
	}
	if r.Loop == LoopClosed {
		words += fmt.Sprintf("; CLOSED LOOP of %d at once", r.ClosedAtOnce)
	}
	return words
}

// clockWords say what each clock measures.
var clockWords = map[recording.Clock]string{
	recording.Response:  "intended → done: what a caller waits",
	recording.Service:   "sent → done: what the target took",
	recording.SendDelay: "intended → sent: the generator's own",
}

func clocksText(b *strings.Builder, r *Result) {
	fmt.Fprintf(b, "%-12s", "ms")
	for _, name := range percentileNames {
		fmt.Fprintf(b, "%9s", name)
	}
	b.WriteByte('\n')
	for _, c := range recording.Clocks {
		fmt.Fprintf(b, "%-12s", strings.ReplaceAll(c.String(), "_", " "))
		for _, ms := range r.Totals.clock(c).all() {
			text := "–"
			if ms != nil {
				text = Millis(*ms)
			}
			fmt.Fprintf(b, "%9s", text)
		}
		fmt.Fprintf(b, "   %s\n", clockWords[c])
	}
}

// percentileNames are the columns of a table of latencies.
var percentileNames = [...]string{"p50", "p90", "p99", "p99.9", "max"}

func (l Latency) all() [len(percentileNames)]*float64 {
	return [...]*float64{l.P50, l.P90, l.P99, l.P999, l.Max}
}

// clock is the latencies of a clock.
func (t *Totals) clock(c recording.Clock) Latency {
	switch c {
	case recording.Service:
		return latencyOf(t.ServiceMs)
	case recording.SendDelay:
		return latencyOf(t.SendDelayMs)
	}
	return latencyOf(t.LatencyMs)
}

// journeysText says how each journey ended, where there are several.
func journeysText(b *strings.Builder, r *Result) {
	if len(r.Phases) == 0 {
		return
	}
	journeys := r.Phases[len(r.Phases)-1].Journeys
	if len(journeys) < 2 {
		return
	}
	for _, name := range sortedKeys(journeys) {
		fmt.Fprintf(b, "  %-14s%s\n", name, tallyWords(journeys[name].Tally))
	}
}

func outcomesWords(t recording.Totals) string {
	return tallyWords(recording.Tally{OK: t.OK, Degraded: t.Degraded, Declined: t.Declined, Failed: t.Failed, Unknown: t.Unknown})
}

// tallyWords lists the outcomes that occurred; ok and failed always.
func tallyWords(t recording.Tally) string {
	var words []string
	for _, of := range []struct {
		outcome loadgen.Outcome
		n       int64
		always  bool
	}{
		{loadgen.OK, t.OK, true},
		{loadgen.Degraded, t.Degraded, false},
		{loadgen.Declined, t.Declined, false},
		{loadgen.Failed, t.Failed, true},
		{loadgen.Unknown, t.Unknown, false},
	} {
		if of.n > 0 || of.always {
			words = append(words, of.outcome.String()+" "+Grouped(of.n))
		}
	}
	return strings.Join(words, " · ")
}

func errorsText(b *strings.Builder, errors []ErrorClass) {
	for i, e := range errors {
		name := ""
		if i == 0 {
			name = "errors"
		}
		if i == errorsShown {
			fmt.Fprintf(b, "%-12s%d more kinds, in result.json\n", name, len(errors)-errorsShown)
			return
		}
		fmt.Fprintf(b, "%-12s%9s  %s\n", name, Grouped(e.Count), strings.TrimSuffix(e.Code+": "+e.Cause, ": "))
	}
}

func keptWords(t ThresholdResult) string {
	if t.Missed {
		return "MISSED"
	}
	return "kept"
}

func generatorWords(r *Result) string {
	words := fmt.Sprintf("%.1f µs of processor time a request, %.2f s in all", r.Totals.GeneratorCPUUs, r.Totals.GeneratorCPUS)
	if n := len(r.Workers); n > 0 {
		return words + ", in " + plural(n, "worker")
	}
	return words + fmt.Sprintf(", %.0f %% of what it may use", 100*r.Evidence.GeneratorShare)
}

func workerWords(w Worker) string {
	if w.Lost != "" {
		return "LOST: " + w.Lost
	}
	return fmt.Sprintf("%s sent, %.2f s of processor time", Grouped(w.Sent), w.GeneratorCPUS)
}

func verdictWords(r *Result) string {
	words := "VALID"
	if !r.Valid {
		words = "INVALID"
	}
	if r.Illustrative {
		words += ", illustrative"
	}
	if r.Partial {
		words += ", partial: stopped after " + time.Duration(r.DurationS*float64(time.Second)).Round(100*time.Millisecond).String()
	}
	return words
}
