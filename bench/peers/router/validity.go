package peers

import (
	"fmt"
	"maps"
	"slices"
)

// Bounds of a run that is to be believed (measurement.md, "Verdict").
const (
	// stealMax is the share of the machine's time that its host may give to
	// others.
	stealMax = 0.05
	// othersMax is the share that may go to processes outside the run.
	othersMax = 0.05
	// sendDelayMaxMs is the p99 by which the driver may be late, on cores that
	// it shares with the measured.
	sendDelayMaxMs = 5
)

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
	if r.StealShare > stealMax {
		because("the machine was starved: its host gave %.0f %% of its time to others, more than %.0f %%", r.StealShare*100, stealMax*100)
	}
	if r.OthersShare > othersMax {
		because("the machine was not left alone: other processes took %.0f %% of its time, more than %.0f %%", r.OthersShare*100, othersMax*100)
	}
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
			because("%s: %s failed beside %d that did not: %s", name, plural(int(c.Failed), "request"), c.Requests, mostOften(c.Errors))
		}
		if c.KeptUp && c.Unanswered > 0 {
			because("%s: %s had no answer", name, plural(int(c.Unanswered), "request"))
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
