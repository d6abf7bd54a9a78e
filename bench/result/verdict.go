package result

import (
	"fmt"
	"slices"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
)

// Rules are the bounds of measurement.md, "Verdict", for one machine class.
type Rules struct {
	OfferedMin       float64 // share of the schedule that was sent
	SendDelayP99Ms   float64
	GeneratorCPUMax  float64 // share of what it may use
	GCPauseMaxMs     float64
	ScheduleKSPMin   float64 // under it the inter-arrival test rejects
	SentKSMax        float64
	StealMax         float64 // share of the machine's time taken by others
	FaultJourneysMin int64   // decided while faults were active
}

// SharedCores are the rules where the generator shares its cores with the
// measured. The p-value is low since the test is made on every run, and one
// drawn schedule in a thousand must not be called wrong for nothing.
var SharedCores = Rules{
	OfferedMin: 0.995, SendDelayP99Ms: 5, GeneratorCPUMax: 0.80, GCPauseMaxMs: 5,
	ScheduleKSPMin: 0.001, SentKSMax: 0.05, StealMax: 0.05, FaultJourneysMin: 500,
}

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

// Verdict lists why a result is INVALID; none, and it is VALID.
func Verdict(f Facts, rules Rules) []string {
	reasons := []string{}
	because := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if f.Partial {
		because("stopped before the run was complete")
	}
	for _, step := range f.FailedSteps {
		because("step failed: %s", step)
	}
	l := f.Load
	if offered := float64(l.Sent) / float64(max(l.Scheduled, 1)); offered < rules.OfferedMin {
		because("offered %.2f %% of the schedule, less than %.1f %%", offered*100, rules.OfferedMin*100)
	}
	if l.Unaccounted > 0 {
		because("%d journeys are not accounted for: %d scheduled, %d sent, %d dropped", l.Unaccounted, l.Scheduled, l.Sent, l.Dropped)
	}
	if p99 := l.SendDelayMs.P99; p99 != nil && *p99 > rules.SendDelayP99Ms {
		because("send delay p99 %.1f ms, more than %g ms", *p99, rules.SendDelayP99Ms)
	}
	if l.GeneratorShare > rules.GeneratorCPUMax {
		because("the load generator used %.0f %% of its processor time, more than %.0f %%", l.GeneratorShare*100, rules.GeneratorCPUMax*100)
	}
	if l.GCPauseMaxMs > rules.GCPauseMaxMs {
		because("a garbage collection pause of %.1f ms in the load generator, more than %g ms", l.GCPauseMaxMs, rules.GCPauseMaxMs)
	}
	if l.ScheduleKSP < rules.ScheduleKSPMin {
		because("the inter-arrival test rejects the schedule (p = %.2g, D = %.3f)", l.ScheduleKSP, l.ScheduleKS)
	}
	if l.SentKS > rules.SentKSMax {
		because("sent times stray from the schedule (D = %.3f, more than %g)", l.SentKS, rules.SentKSMax)
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
	if f.Steal > rules.StealMax {
		because("%.0f %% of the machine's time went to something else, more than %.0f %%", f.Steal*100, rules.StealMax*100)
	}
	return reasons
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
