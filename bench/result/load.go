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
	Summary  loadgen.Summary
}

// MeasureLoad says whether the load was what the schedules asked for. The tests
// of times are made on the main load at its rate per second.
func MeasureLoad(records []loadgen.Record, offered []Offered, ratePerS float64, self evidence.Self) Load {
	var scheduled, sent, dropped int
	l := Load{
		GCPauseMaxMs: self.GCPauseMaxMs, GeneratorCPUS: self.CPUS,
		GeneratorWallS: self.WallS, GeneratorShare: self.CPUShare, ScheduleKSP: 1,
	}
	for _, o := range offered {
		scheduled += o.Summary.Scheduled
		sent += o.Summary.Sent
		dropped += o.Summary.Dropped + o.Summary.Late
		if o.Schedule.Load == loadgen.LoadMain {
			ks := evidence.ExponentialGaps(evidence.Intended(o.Schedule), ratePerS)
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
