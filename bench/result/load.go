package result

import (
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
)

// Offered is one schedule and what became of it.
type Offered struct {
	Schedule *loadgen.Schedule
	// Pacer is what it was drawn with.
	Pacer   loadgen.Pacer
	Summary loadgen.Summary
}

// MeasureLoad says whether the load was what the schedules asked for. The tests
// of times are made on the main load.
func MeasureLoad(records []loadgen.Record, offered []Offered, self evidence.Self) Load {
	var scheduled, sent, dropped int
	l := Load{
		GCPauseMaxMs: self.GCPauseMaxMs, GeneratorCPUS: self.CPUS,
		GeneratorWallS: self.WallS, GeneratorShare: self.UsableShare, ScheduleKSP: 1,
		Pressure: evidence.Pressure{PressureKnown: self.PressureKnown, PressureShare: self.PressureShare},
	}
	for _, o := range offered {
		scheduled += o.Summary.Scheduled
		sent += o.Summary.Sent
		dropped += o.Summary.Dropped + o.Summary.Late + o.Summary.Unsent
		l.Unaccounted += unaccounted(records, o)
		if o.Schedule.Load == loadgen.LoadMain {
			ks, _ := evidence.ScheduleKS(o.Schedule, o.Pacer)
			l.ScheduleKS, l.ScheduleKSP = ks.D, ks.P
		}
	}
	totals := recording.TotalsOf(records, scheduled, time.Duration(self.WallS*float64(time.Second)))
	l.Scheduled, l.Sent, l.Dropped, l.Done = int64(scheduled), int64(sent), int64(dropped), totals.Done
	l.SendDelayMs, l.Codes = latencyOf(totals.SendDelayMs), totals.Errors
	stray := evidence.StrayOf(evidence.Times(records, loadgen.LoadMain))
	l.SentKS, l.SentGapKS = stray.D, stray.GapD
	return l
}

// facts are what the rules of a load judge. Dropped stays out of them: here it is
// all that was not sent, there what the cap kept back.
func (l *Load) facts() evidence.LoadFacts {
	return evidence.LoadFacts{
		Scheduled: l.Scheduled, Sent: l.Sent, Unaccounted: l.Unaccounted,
		SendDelayP99Ms: l.SendDelayMs.P99, GeneratorShare: l.GeneratorShare, GCPauseMaxMs: l.GCPauseMaxMs,
		ScheduleTested: true, ScheduleKS: l.ScheduleKS, ScheduleKSP: l.ScheduleKSP, SentKS: l.SentKS, SentGapKS: l.SentGapKS,
		Pressure: l.Pressure,
	}
}

// unaccounted holds the records of a load against its schedule and its summary;
// see Load.Unaccounted. Journeys are sent in the order of the schedule, so of a
// load that was stopped only those after the last record may lack one.
func unaccounted(records []loadgen.Record, o Offered) (n int64) {
	times := make([]int, o.Summary.Scheduled)
	due, sent := 0, 0
	for i := range records {
		r := &records[i]
		if r.Load != o.Schedule.Load {
			continue
		}
		if r.Sent() {
			sent++
		}
		if r.Seq >= len(times) {
			n++ // It was not due.
			continue
		}
		times[r.Seq]++
		due = max(due, r.Seq+1)
	}
	if !o.Summary.Interrupted {
		due = len(times)
	}
	for _, t := range times[:due] {
		n += int64(max(t, 1) - min(t, 1))
	}
	return n + int64(max(sent, o.Summary.Sent)-min(sent, o.Summary.Sent))
}
