package comparison

import (
	"fmt"
	"strings"

	"breakbank/bench/stats"
)

// WriteBars writes the bars below a heading with a note, which is Decided's or
// empty. figure is the format of what was measured, width that of a verdict.
func WriteBars(out *strings.Builder, bars []Bar, note, figure string, width int) {
	if len(bars) == 0 {
		return
	}
	fmt.Fprintf(out, "bars, as measured%s\n", note)
	last := ""
	for _, b := range bars {
		if b.Case != last {
			fmt.Fprintf(out, "  %s\n", b.Case)
			last = b.Case
		}
		measured := b.Why
		if b.Measured != nil {
			measured = Interval(b.Measured, figure) + " " + b.Unit
		}
		words := b.Verdict
		if b.AimVerdict != "" {
			words += ", aim " + b.AimVerdict
		}
		fmt.Fprintf(out, "    %-*s %s: %s\n", width, words, b.Says, measured)
	}
	fmt.Fprintln(out)
}

// Decided says how bars are decided by blocks.
func (e *Envelope) Decided() string {
	const how = " (95 % intervals; undecided: the limit is inside)"
	if e.Blocks < blocksToDecide {
		return how + "; too few blocks to decide by"
	}
	return how
}

// WriteMissing writes a line for each contender that was left out.
func WriteMissing[M fmt.Stringer](out *strings.Builder, missing []M) {
	for _, m := range missing {
		fmt.Fprintf(out, "left out: %s\n", m)
	}
	if len(missing) > 0 {
		fmt.Fprintln(out)
	}
}

// WriteVerdict writes whether the result may be believed, what was done and on
// what, and the reasons against it. names is the order of the versions.
func WriteVerdict(out *strings.Builder, e *Envelope, done string, on Environment, names []string) {
	verdict := "VALID"
	if !e.Valid {
		verdict = "INVALID"
	}
	if e.Partial {
		verdict += ", partial"
	}
	words := []string{done, fmt.Sprintf("%d cores (%s)", on.Cores, on.Machine), on.Kernel, on.Go}
	for _, name := range names {
		if v := on.Versions[name]; v != "" {
			words = append(words, name+" "+v)
		}
	}
	fmt.Fprintf(out, "%s: %s\n", verdict, strings.Join(words, ", "))
	for _, reason := range e.InvalidReasons {
		fmt.Fprintf(out, "  %s\n", reason)
	}
	for _, reason := range e.IllustrativeReasons {
		fmt.Fprintf(out, "  illustrative: %s\n", reason)
	}
}

// Done is how much was measured, in words.
func (e *Envelope) Done() string {
	return fmt.Sprintf("%s of %.2g s windows", Plural(e.Blocks, "block"), e.WindowS)
}

// Interval is an estimate with its interval, or a dash where there is none.
func Interval(e *stats.Estimate, format string) string {
	if e == nil {
		return "-"
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", e.Value, e.Low, e.High)
}

// Plural is a count of things.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
