package evidence

import "fmt"

// LoadRules are the bounds of measurement.md, "Verdict", as far as they are about
// the load, for one class of machine.
type LoadRules struct {
	OfferedMin      float64 // share of the schedule that was sent
	SendDelayP99Ms  float64
	GeneratorCPUMax float64 // share of what it may use
	GCPauseMaxMs    float64
	ScheduleKSPMin  float64 // under it the inter-arrival test rejects
	SentKSMax       float64
	StealMax        float64 // share of the machine's time
	// PressureMax is the share of the time in which something may wait for a
	// processor. Where PressureAlone is false, that is no reason unless others
	// used more than OthersMax of the machine's time: the measured, near its
	// capacity, makes such pressure by itself.
	PressureMax   float64
	PressureAlone bool
	OthersMax     float64
}

// SharedCores are the rules where the generator shares its cores with the
// measured. P is low since the test is made on every run: of schedules that are
// as they should be, one in a thousand is refused. The bounds of steal, pressure
// and others are ours: a twentieth, a half and a tenth of the machine gone are
// seen in any percentile.
var SharedCores = LoadRules{
	OfferedMin: 0.995, SendDelayP99Ms: 5, GeneratorCPUMax: 0.80, GCPauseMaxMs: 5,
	ScheduleKSPMin: 0.001, SentKSMax: 0.05, StealMax: 0.05,
	PressureMax: 0.5, OthersMax: 0.1,
}

// OwnCores are the rules where the generator has its cores for itself: it keeps
// its times better, and nothing else has business there.
var OwnCores = LoadRules{
	OfferedMin: 0.995, SendDelayP99Ms: 1, GeneratorCPUMax: 0.80, GCPauseMaxMs: 5,
	ScheduleKSPMin: 0.001, SentKSMax: 0.05, StealMax: 0.05,
	PressureMax: 0.5, PressureAlone: true, OthersMax: 0.1,
}

// Judge lists why a load is INVALID; none, and it is VALID. Percentiles of too
// few samples are no reason: they are left out of the result.
func (r LoadRules) Judge(f LoadFacts) []string {
	reasons := []string{}
	because := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if f.Partial {
		because("stopped before the run was complete")
	}
	if offered := float64(f.Sent) / float64(max(f.Scheduled, 1)); offered < r.OfferedMin {
		because("offered %.2f %% of the schedule, less than %.1f %%%s", offered*100, r.OfferedMin*100, f.keptBack())
	}
	if f.Unaccounted > 0 {
		because("%d journeys are not accounted for: %d were scheduled, %d sent", f.Unaccounted, f.Scheduled, f.Sent)
	}
	if p99 := f.SendDelayP99Ms; p99 != nil && *p99 > r.SendDelayP99Ms {
		because("send delay p99 %.1f ms, more than %g ms", *p99, r.SendDelayP99Ms)
	}
	if f.GeneratorShare > r.GeneratorCPUMax {
		because("the load generator used %.0f %% of the processor time it could get, more than %.0f %%", f.GeneratorShare*100, r.GeneratorCPUMax*100)
	}
	if f.GCPauseMaxMs > r.GCPauseMaxMs {
		because("a garbage collection pause of %.1f ms in the load generator, more than %g ms", f.GCPauseMaxMs, r.GCPauseMaxMs)
	}
	if f.ScheduleTested && f.ScheduleKSP < r.ScheduleKSPMin {
		because("the inter-arrival test rejects the schedule (p = %.2g, D = %.3f)", f.ScheduleKSP, f.ScheduleKS)
	}
	if f.Sent >= sentKSFewest && f.SentKS > r.SentKSMax {
		because("sent times stray from the schedule (D = %.3f, more than %g)", f.SentKS, r.SentKSMax)
	}
	if f.Unsteady != "" {
		because("the load met no steady state: %s", f.Unsteady)
	}
	if f.Steal > r.StealMax {
		because("%.0f %% of the machine's time went to something else, more than %.0f %%", f.Steal*100, r.StealMax*100)
	}
	if r.pressed(f) {
		because("something waited for a processor in %.0f %% of the time, more than %.0f %%%s", f.PressureShare*100, r.PressureMax*100, f.byOthers())
	}
	return reasons
}

// sentKSFewest is how many requests must have been sent for the distance between
// sent and drawn times to say anything: one that is late moves it by one in so
// many, and of a dozen a single one would exceed every bound.
const sentKSFewest = 100

// pressed says that others starved the generator or the measured.
func (r LoadRules) pressed(f LoadFacts) bool {
	if !f.PressureKnown || f.PressureShare <= r.PressureMax {
		return false
	}
	return r.PressureAlone || f.OthersKnown && f.OthersShare > r.OthersMax
}

func (f LoadFacts) byOthers() string {
	if !f.OthersKnown {
		return ""
	}
	text := fmt.Sprintf("; other processes used %.0f %% of the machine", f.OthersShare*100)
	if f.OthersChiefly != "" {
		text += ", chiefly " + f.OthersChiefly
	}
	return text
}

// keptBack says what became of arrivals that were not sent.
func (f LoadFacts) keptBack() string {
	text := ""
	for _, kept := range []struct {
		count int64
		why   string
	}{
		{f.Dropped, "kept back by the cap on journeys in flight"},
		{f.Late, "too late to send"},
		{f.Unsent, "without a connection"},
	} {
		if kept.count > 0 {
			sep := ", "
			if text == "" {
				sep = ": "
			}
			text += fmt.Sprintf("%s%d %s", sep, kept.count, kept.why)
		}
	}
	return text
}

// Notes lists the conditions that could not be tested, and why; they make no
// result INVALID.
func (r LoadRules) Notes(f LoadFacts) []string {
	notes := []string{}
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if f.Closed {
		note("a closed loop: latencies hide every wait that the loop made for itself")
	} else if !f.ScheduleTested {
		note("the schedule was not tested: its pacer leaves nothing to chance, or there were too few arrivals")
	}
	if f.SendDelayP99Ms == nil {
		note("the send delay was not judged: too few requests for a p99")
	}
	if !f.Closed && f.Sent < sentKSFewest {
		note("sent times were not held to the schedule: fewer than %d requests", sentKSFewest)
	}
	if !f.SteadyTested {
		note("not tested for a steady state: its pacer is not steady, or it lasted fewer than %d windows", trendWindowsMin)
	}
	switch {
	case !f.PressureKnown:
		note("pressure on the processors is not known: %s tells it on Linux", pressureFile)
	case f.PressureShare > r.PressureMax && !r.pressed(f) && !f.OthersKnown:
		note("something waited for a processor in %.0f %% of the time; who took it is not known", f.PressureShare*100)
	}
	return notes
}
