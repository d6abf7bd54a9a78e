package recording

import "breakbank/loadgen"

// Phase is a part of a run, in nanoseconds since its origin; FromNs belongs to
// it and ToNs to the next.
type Phase struct {
	Name         string
	FromNs, ToNs int64
}

func (p *Phase) holds(ns int64) bool { return p.FromNs <= ns && ns < p.ToNs }

// Tally counts journeys by outcome.
type Tally struct {
	Offered  int64 `json:"offered"`
	OK       int64 `json:"ok"`
	Degraded int64 `json:"degraded"`
	Declined int64 `json:"declined"`
	Failed   int64 `json:"failed"`
	Unknown  int64 `json:"unknown"`
}

// Add counts one journey.
func (t *Tally) Add(o loadgen.Outcome) {
	t.Offered++
	switch o {
	case loadgen.OK:
		t.OK++
	case loadgen.Degraded:
		t.Degraded++
	case loadgen.Declined:
		t.Declined++
	case loadgen.Unknown:
		t.Unknown++
	default:
		t.Failed++
	}
}

// JourneyFigures are the figures of a journey in a phase. The tally holds what
// was decided in the phase; the rest what was intended in it.
type JourneyFigures struct {
	Tally
	Scheduled int64     `json:"scheduled"`
	Sent      int64     `json:"sent"`
	LatencyMs Quantiles `json:"latency_ms"`

	response []int64
}

// PhaseFigures are the figures of a phase.
type PhaseFigures struct {
	Phase    Phase
	Journeys [loadgen.JourneyCount]JourneyFigures
}

// ByPhase sorts records into phases. Outcomes go to the phase in which they
// were decided, latency and schedule accounting to that of the intended time;
// so a request that was sent before a fault and failed by it counts against the
// fault. What lies in no phase is in no figure. Phases must not overlap.
func ByPhase(records []loadgen.Record, phases []Phase) []PhaseFigures {
	figures := make([]PhaseFigures, len(phases))
	for i := range phases {
		figures[i].Phase = phases[i]
	}
	at := func(ns int64) *PhaseFigures {
		for i := range phases {
			if phases[i].holds(ns) {
				return &figures[i]
			}
		}
		return nil
	}
	for i := range records {
		r := &records[i]
		if f := at(r.DoneNs); f != nil {
			f.Journeys[r.Journey].Add(r.Outcome)
		}
		if f := at(r.IntendedNs); f != nil {
			f.Journeys[r.Journey].intended(r)
		}
	}
	for i := range figures {
		for j := range figures[i].Journeys {
			f := &figures[i].Journeys[j]
			f.LatencyMs, f.response = quantilesOf(f.response), nil
		}
	}
	return figures
}

func (f *JourneyFigures) intended(r *loadgen.Record) {
	f.Scheduled++
	if ns, ok := Response.Of(r); ok {
		f.Sent++
		f.response = append(f.response, ns)
	}
}
