package result

import (
	"fmt"
	"slices"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
)

// Rules are the bounds of measurement.md, "Verdict", for one machine class.
type Rules struct {
	// LoadRules are those about the load alone.
	evidence.LoadRules
	FaultJourneysMin int64 // decided while faults were active
}

// SharedCores are the rules where the generator shares its cores with the
// measured.
var SharedCores = Rules{LoadRules: evidence.SharedCores, FaultJourneysMin: 500}

// Facts are what the verdict is given on.
type Facts struct {
	Partial bool
	Load    Load
	// Steal is the share of the machine's time that its host gave to others.
	Steal float64
	// Unsteady says why the baseline is not stationary, or nothing; see
	// Unsteady.
	Unsteady string
	Faults   []Fault
	// FaultsExpected says whether the script was to inject any.
	FaultsExpected bool
	FaultJourneys  int64
	Audit          Audit
	FailedSteps    []string
}

// Verdict lists why a result is INVALID; none, and it is VALID. What is wrong with
// the load comes last.
func Verdict(f Facts, rules Rules) []string {
	reasons := []string{}
	because := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	for _, step := range f.FailedSteps {
		because("step failed: %s", step)
	}
	if f.Unsteady != "" {
		because("the baseline is not stationary: %s", f.Unsteady)
	}
	for _, fault := range f.Faults {
		if fault.Proof <= 0 {
			because("fault %s at %s left no proof on its victim's side", fault.Name, fault.Target)
		}
	}
	if f.FaultsExpected && len(f.Faults) == 0 {
		because("the script injects faults, and none was recorded")
	}
	if len(f.Faults) > 0 && f.FaultJourneys < rules.FaultJourneysMin {
		because("only %d journeys were decided while faults were active, fewer than %d", f.FaultJourneys, rules.FaultJourneysMin)
	}
	if !f.Audit.Ran {
		because("no audit was made")
	} else if !f.Audit.Passed {
		because("the audit failed")
	}
	load := f.Load.facts()
	load.Partial, load.Steal = f.Partial, f.Steal
	return append(reasons, rules.Judge(load)...)
}

// baselineWindows is how many windows a baseline is cut into; evidence asks for
// six at least.
const baselineWindows = 10

// Unsteady says why a baseline is not stationary, or nothing. A run that was
// stopped before it has none, which is a reason too.
func Unsteady(records []loadgen.Record, spans []Span, baseline string) string {
	i := slices.IndexFunc(spans, func(s Span) bool { return s.Name == baseline })
	if i < 0 {
		return "it was not reached"
	}
	fromNs, toNs := int64(spans[i].FromS*1e9), int64(spans[i].ToS*1e9)
	mainOnly := make([]loadgen.Record, 0, len(records))
	for k := range records {
		if records[k].Load == loadgen.LoadMain {
			mainOnly = append(mainOnly, records[k])
		}
	}
	medianMs, good := evidence.Windows(mainOnly, fromNs, toNs, (toNs-fromNs)/baselineWindows)
	for _, figure := range []struct {
		name    string
		windows []float64
		allowed evidence.Tolerance
		format  string
	}{
		{"the median response", medianMs, evidence.LatencyTolerance, "%s went from %.2f ms to %.2f ms"},
		{"the share served", good, evidence.ShareTolerance, "%s went from %.4f to %.4f"},
	} {
		trend, err := evidence.Stationary(figure.windows, figure.allowed)
		if err != nil {
			return err.Error()
		}
		if !trend.Stationary {
			return fmt.Sprintf(figure.format, figure.name, trend.First, trend.Second)
		}
	}
	return ""
}

// FaultJourneys counts journeys decided while any fault was active.
func FaultJourneys(records []loadgen.Record, faults []Fault) int64 {
	var n int64
	for i := range records {
		at := doneS(&records[i])
		if slices.ContainsFunc(faults, func(f Fault) bool {
			return at >= f.InjectedS && (f.ClearedS == 0 || at <= f.ClearedS)
		}) {
			n++
		}
	}
	return n
}
