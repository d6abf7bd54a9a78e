package evidence

import (
	"fmt"

	"breakbank/loadgen"
	"breakbank/loadgen/pacer"
)

// LoadFacts are what the verdict on a load is given on. Those of several workers
// are put together by Merge.
type LoadFacts struct {
	// Partial says that the load was stopped before its schedule was over.
	Partial bool `json:"partial"`
	// Closed says that it was a closed loop, which has no schedule to keep to.
	Closed bool `json:"closed,omitempty"`

	// Scheduled arrivals were due. Each of them was Sent, Dropped by the cap on
	// journeys in flight, Late (its patience was over before it could be sent) or
	// Unsent (it found no connection, or could not be built); what is none of
	// these, or is more than one, is Unaccounted for.
	Scheduled   int64 `json:"scheduled"`
	Sent        int64 `json:"sent"`
	Dropped     int64 `json:"dropped"`
	Late        int64 `json:"late"`
	Unsent      int64 `json:"unsent"`
	Unaccounted int64 `json:"unaccounted"`

	// SendDelayP99Ms is how late requests were sent; nil if there were too few
	// to say.
	SendDelayP99Ms *float64 `json:"send_delay_p99_ms,omitempty"`

	// GeneratorShare is the share of the processor time it may use that the
	// generator used (Self.UsableShare), GCPauseMaxMs its longest stop for the
	// garbage collector.
	GeneratorShare float64 `json:"generator_share"`
	GCPauseMaxMs   float64 `json:"gc_pause_max_ms"`

	// ScheduleKS and ScheduleKSP are D and P of the test of the drawn schedule
	// against its pacer's law. ScheduleTested is false where there is none, or
	// where there were too few arrivals.
	ScheduleTested bool    `json:"schedule_tested"`
	ScheduleKS     float64 `json:"schedule_ks"`
	ScheduleKSP    float64 `json:"schedule_ks_p"`
	// SentKS is how far sent times strayed from the schedule (Stray.D), SentGapKS
	// how far the gaps did (Stray.GapD).
	SentKS    float64 `json:"sent_ks"`
	SentGapKS float64 `json:"sent_gap_ks"`

	// Unsteady says why what was measured did not hold still, or nothing.
	// SteadyTested is false where that was not tested.
	SteadyTested bool   `json:"steady_tested"`
	Unsteady     string `json:"unsteady,omitempty"`

	// Steal is the share of the machine's time that its host gave to others.
	Steal float64 `json:"steal_share"`
	Pressure
}

// Pressure is whether the machine's processors were enough, and for whom.
type Pressure struct {
	// PressureShare is the share of the time in which some task of the machine
	// waited for a processor, where PressureKnown.
	PressureKnown bool    `json:"pressure_known"`
	PressureShare float64 `json:"pressure_share"`
	// OthersShare is the share of the machine's time that went to processes which
	// neither make the load nor are measured, where OthersKnown (OthersWatch says
	// where it is not); OthersChiefly is which one used most, if one stands out.
	OthersKnown   bool    `json:"others_known"`
	OthersShare   float64 `json:"others_share"`
	OthersChiefly string  `json:"others_chiefly,omitempty"`
}

// GatherLoad gathers what can be said of a load that began at its runner's
// origin. p is the pacer that its schedule was drawn with; nil leaves the
// schedule untested. self is of a watch over the same time. What it cannot know
// is the caller's to set: Steal, by TellOthers what others used, and by TestSteady
// and Account whether the measured held still and whether every record arrived.
func GatherLoad(s *loadgen.Schedule, p loadgen.Pacer, summary loadgen.Summary, self Self, sendDelayP99Ms *float64) LoadFacts {
	f := LoadFacts{
		Partial: summary.Interrupted, Closed: summary.SentNs == nil && summary.Scheduled > 0,
		Scheduled: int64(summary.Scheduled), Sent: int64(summary.Sent), Dropped: int64(summary.Dropped),
		Late: int64(summary.Late), Unsent: int64(summary.Unsent),
		SendDelayP99Ms: sendDelayP99Ms, GeneratorShare: self.UsableShare, GCPauseMaxMs: self.GCPauseMaxMs,
		ScheduleKSP: 1, Pressure: Pressure{PressureKnown: self.PressureKnown, PressureShare: self.PressureShare},
	}
	// Of a load that was stopped, the last that came due need not have begun.
	if missing := f.Scheduled - f.recorded(); missing < 0 || !f.Partial {
		f.Unaccounted = max(missing, -missing)
	}
	if f.Closed {
		return f
	}
	if p != nil {
		ks, tested := ScheduleKS(s, p)
		f.ScheduleTested, f.ScheduleKS, f.ScheduleKSP = tested, ks.D, ks.P
	}
	stray := StrayOf(SentTimes(s, &summary, 0))
	f.SentKS, f.SentGapKS = stray.D, stray.GapD
	return f
}

// mergePressure keeps what is known of the machine with the greater pressure:
// others that used one machine did not starve another.
func (p *Pressure) mergePressure(o Pressure) {
	if !o.PressureKnown {
		return
	}
	if !p.PressureKnown || o.PressureShare > p.PressureShare ||
		o.PressureShare == p.PressureShare && o.OthersShare > p.OthersShare {
		*p = o
	}
}

// recorded is how many arrivals a runner says that it made records of.
func (f *LoadFacts) recorded() int64 { return f.Sent + f.Dropped + f.Late + f.Unsent }

// Account holds against the runner's count how many records of arrivals, retries
// left out, its sink was given.
func (f *LoadFacts) Account(records int64) {
	f.Unaccounted += max(records-f.recorded(), f.recorded()-records)
}

// TestSteady tests whether the measured held still under a load whose pacer does:
// p50Ms are the medians of the response in milliseconds, of equal windows such as
// the whole seconds of the load. Other pacers, and loads too short to show a
// trend, are not tested.
func (f *LoadFacts) TestSteady(p loadgen.Pacer, p50Ms []float64) {
	switch p.(type) {
	case pacer.Poisson, pacer.Constant:
	default:
		return
	}
	trend, err := Stationary(condensed(p50Ms, steadyWindowsMax), LatencyTolerance)
	if err != nil {
		return // Too short.
	}
	f.SteadyTested = true
	if !trend.Stationary {
		f.Unsteady = fmt.Sprintf("the median response went from %.2f ms to %.2f ms", trend.First, trend.Second)
	}
}

// Merge puts the facts of the workers of one load together: what was counted is
// added up, and of the rest the worst counts.
func Merge(workers ...LoadFacts) LoadFacts {
	all := LoadFacts{ScheduleKSP: 1}
	for i := range workers {
		f := &workers[i]
		all.Partial, all.Closed = all.Partial || f.Partial, all.Closed || f.Closed
		all.Scheduled += f.Scheduled
		all.Sent += f.Sent
		all.Dropped += f.Dropped
		all.Late += f.Late
		all.Unsent += f.Unsent
		all.Unaccounted += f.Unaccounted
		if p99 := f.SendDelayP99Ms; p99 != nil && (all.SendDelayP99Ms == nil || *p99 > *all.SendDelayP99Ms) {
			all.SendDelayP99Ms = p99
		}
		all.GeneratorShare = max(all.GeneratorShare, f.GeneratorShare)
		all.GCPauseMaxMs = max(all.GCPauseMaxMs, f.GCPauseMaxMs)
		if f.ScheduleTested && (!all.ScheduleTested || f.ScheduleKSP < all.ScheduleKSP) {
			all.ScheduleTested, all.ScheduleKS, all.ScheduleKSP = true, f.ScheduleKS, f.ScheduleKSP
		}
		all.SentKS, all.SentGapKS = max(all.SentKS, f.SentKS), max(all.SentGapKS, f.SentGapKS)
		all.SteadyTested = all.SteadyTested || f.SteadyTested
		if all.Unsteady == "" {
			all.Unsteady = f.Unsteady
		}
		all.Steal = max(all.Steal, f.Steal)
		all.mergePressure(f.Pressure)
	}
	return all
}
