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

// merge adds another tally.
func (t *Tally) merge(o Tally) {
	for _, c := range [...]struct {
		sum *int64
		n   int64
	}{
		{&t.Offered, o.Offered},
		{&t.OK, o.OK},
		{&t.Degraded, o.Degraded},
		{&t.Declined, o.Declined},
		{&t.Failed, o.Failed},
		{&t.Unknown, o.Unknown},
	} {
		*c.sum = addUpTo(*c.sum, c.n)
	}
}

// JourneyFigures are the figures of a journey in a phase. The tally holds what
// was decided in the phase; the rest what was intended in it.
type JourneyFigures struct {
	Tally
	// Good is how many of them were good, see Options.Objective; without an
	// objective these are ok and declined.
	Good        int64     `json:"good"`
	Scheduled   int64     `json:"scheduled"`
	Sent        int64     `json:"sent"`
	LatencyMs   Quantiles `json:"latency_ms"`
	ServiceMs   Quantiles `json:"service_ms"`
	SendDelayMs Quantiles `json:"send_delay_ms"`
}

// latencies are the figures of the three clocks.
func (f *JourneyFigures) latencies() [clockCount]*Quantiles {
	return [clockCount]*Quantiles{Response: &f.LatencyMs, Service: &f.ServiceMs, SendDelay: &f.SendDelayMs}
}

// PhaseFigures are the figures of a phase, by journey.
type PhaseFigures struct {
	Phase    Phase
	Journeys []JourneyFigures
}

// ByPhase sorts records into phases. Outcomes go to the phase in which they
// were decided, latency and schedule accounting to that of the intended time;
// so a request that was sent before a fault and failed by it counts against the
// fault. What lies in no phase is in no figure, and neither are retries. Phases
// must not overlap. names is the table that the records point into.
func ByPhase(records []loadgen.Record, phases []Phase, names []string) []PhaseFigures {
	figures := make([]PhaseFigures, len(phases))
	spans := make([][][clockCount][]int64, len(phases))
	for i := range phases {
		figures[i] = PhaseFigures{Phase: phases[i], Journeys: make([]JourneyFigures, len(names))}
		spans[i] = make([][clockCount][]int64, len(names))
	}
	at := func(ns int64) int {
		for i := range phases {
			if phases[i].holds(ns) {
				return i
			}
		}
		return -1
	}
	for i := range records {
		r := &records[i]
		if r.Retry > 0 {
			continue
		}
		if p := at(r.DoneNs); p >= 0 {
			f := &figures[p].Journeys[r.Journey]
			f.Add(r.Outcome)
			if goodWithin(r, 0) {
				f.Good++
			}
		}
		if p := at(r.IntendedNs); p >= 0 {
			figures[p].Journeys[r.Journey].intended(r, &spans[p][r.Journey])
		}
	}
	for i := range figures {
		for j := range names {
			for c, q := range figures[i].Journeys[j].latencies() {
				*q = quantilesOf(spans[i][j][c])
			}
		}
	}
	return figures
}

func (f *JourneyFigures) intended(r *loadgen.Record, spans *[clockCount][]int64) {
	f.Scheduled++
	if !r.Sent() {
		return
	}
	f.Sent++
	for _, c := range Clocks {
		ns, _ := c.Of(r)
		spans[c] = append(spans[c], ns)
	}
}
