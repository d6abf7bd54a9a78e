package result

import (
	"math"
	"slices"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/recording"
)

// Span is a phase on the run's clock, from its opening to the next one's.
type Span struct {
	Name      string
	ClockFrom string
	// FromS and ToS are real seconds since the run's zero.
	FromS, ToS float64
}

// Phases attributes records to phases: outcomes by the time of decision,
// latency by the intended time. Spans are in order and touch; what lies before
// the first or after the last belongs to that one, so that no journey is lost.
// A run without spans has no phases.
func Phases(records []loadgen.Record, spans []Span) []Phase {
	phases := make([]Phase, len(spans))
	for i, figures := range recording.ByPhase(records, recordingPhases(spans), journeyNames) {
		phases[i] = Phase{
			Name: spans[i].Name, ClockFrom: spans[i].ClockFrom, FromS: spans[i].FromS, ToS: spans[i].ToS,
			Journeys: journeys(figures),
		}
	}
	return phases
}

// Seconds attributes records to the seconds of a run that lasted so long, with
// the same rule as Phases. Clock, phase and routers are left to the caller.
func Seconds(records []loadgen.Record, lastedS float64) []Second {
	n := max(int(math.Ceil(lastedS)), 1)
	spans := make([]Span, n)
	for i := range spans {
		spans[i] = Span{FromS: float64(i), ToS: float64(i + 1)}
	}
	seconds := make([]Second, n)
	for i, figures := range recording.ByPhase(records, recordingPhases(spans), journeyNames) {
		seconds[i] = Second{TS: float64(i), Journeys: journeys(figures), Routers: []RouterPoint{}}
	}
	return seconds
}

// recordingPhases opens the first span to what came before, the last to what
// came after.
func recordingPhases(spans []Span) []recording.Phase {
	phases := make([]recording.Phase, len(spans))
	for i, span := range spans {
		phases[i] = recording.Phase{Name: span.Name, FromNs: int64(span.FromS * 1e9), ToNs: int64(span.ToS * 1e9)}
		if i == 0 {
			phases[i].FromNs = math.MinInt64
		}
		if i == len(spans)-1 {
			phases[i].ToNs = math.MaxInt64
		}
	}
	return phases
}

func journeys(figures recording.PhaseFigures) map[string]Journey {
	journeys := make(map[string]Journey, customers.JourneyCount)
	for i := range figures.Journeys {
		of := &figures.Journeys[i]
		if isUsual(loadgen.Journey(i)) || of.Offered > 0 || of.Scheduled > 0 {
			journeys[customers.Journeys[i].Name] = Journey{Counts: Counts(of.Tally), LatencyMs: latencyOf(of.LatencyMs)}
		}
	}
	return journeys
}

// journeyNames are the names of all journeys, the unusual ones too.
var journeyNames = loadgen.Names(customers.Journeys[:])

func latencyOf(q recording.Quantiles) Latency {
	return Latency{P50: q.P50, P90: q.P90, P99: q.P99, P999: q.P999, Max: q.Max}
}

// spanAt is the index of the span that holds a time.
func spanAt(spans []Span, s float64) int {
	i, found := slices.BinarySearchFunc(spans, s, func(span Span, s float64) int {
		switch {
		case span.FromS < s:
			return -1
		case span.FromS > s:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	return max(i, 0)
}

func doneS(r *loadgen.Record) float64 { return float64(r.DoneNs) / 1e9 }

func intendedS(r *loadgen.Record) float64 { return float64(r.IntendedNs) / 1e9 }
