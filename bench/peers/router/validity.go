package peers

import (
	"fmt"
	"maps"
	"slices"

	"breakbank/bench/peers/comparison"
)

// sendDelayMaxMs is the p99 by which the driver may be late, on cores that it
// shares with the measured (measurement.md, "Verdict").
const sendDelayMaxMs = 5

// invalid lists why a result must not be believed; none, and it may.
func invalid(r *Result, spoiled []string, stopped error) []string {
	reasons := []string{}
	because := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if stopped != nil {
		because("stopped before the run was complete: %v", stopped)
	}
	if len(r.Cells) == 0 {
		because("nothing was measured")
	}
	reasons = append(reasons, r.Starved()...)
	for _, m := range r.Missing {
		if m.Install == "" {
			because("%s could not be measured: %s", m.Peer, m.Why)
		}
	}
	for _, s := range spoiled {
		because("%s", s)
	}
	for _, c := range r.Cells {
		name := c.Peer + ", " + c.Case
		if c.Failed > 0 {
			because("%s: %s failed beside %d that did not: %s", name, comparison.Plural(int(c.Failed), "request"), c.Requests, mostOften(c.Errors))
		}
		if c.KeptUp && c.Unanswered > 0 {
			because("%s: %s had no answer", name, comparison.Plural(int(c.Unanswered), "request"))
		}
		switch {
		case c.KeptUp && c.SendDelayP99Ms > sendDelayMaxMs:
			because("%s: the driver fell behind, its send delay p99 is %.1f ms, more than %d ms", name, c.SendDelayP99Ms, sendDelayMaxMs)
		case !c.KeptUp && c.Peer == direct:
			because("%s: this machine cannot carry the load even without a proxy", name)
		}
	}
	return reasons
}

// mostOften is the key that was counted most, the first by name of several.
func mostOften(counts map[string]int64) (most string) {
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		if counts[what] > counts[most] {
			most = what
		}
	}
	return most
}
