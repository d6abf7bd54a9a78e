package loadgen

import (
	"fmt"

	"breakbank/bench/peers/comparison"
)

// invalid lists why a result must not be believed; none, and it may.
func invalid(r *Result, spoiled []string, stopped error) []string {
	reasons := []string{}
	because := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if stopped != nil {
		because("stopped before the run was complete: %v", stopped)
	}
	if len(r.Costs)+len(r.Truths) == 0 {
		because("nothing was measured")
	}
	reasons = append(reasons, r.Starved()...)
	for _, m := range r.Missing {
		if m.Install == "" {
			because("%s could not be measured: %s", m.Generator, m.Why)
		}
	}
	for _, s := range spoiled {
		because("%s", s)
	}
	for _, c := range r.Costs {
		if c.Failed > 0 {
			because("%s, %s: %s failed against a server that fails none: %s", c.Generator, c.Case, comparison.Plural(int(c.Failed), "request"), c.MostFailed)
		}
	}
	return reasons
}
