package recording

import (
	"slices"

	"breakbank/loadgen"
)

// secondsMax bounds a series to a day; what is later than that counts in the
// last second.
const secondsMax = 24 * 60 * 60

// Second is what one second of a run held, by journey. Scheduling and latency
// belong to the second of the intended time, outcomes to that of the decision.
// Retries are in none of it.
type Second struct {
	// Index counts from the run's origin.
	Index     int
	Scheduled []int64
	Sent      []int64
	// Outcomes is indexed by journey, then by outcome.
	Outcomes [][loadgen.OutcomeCount]int64
	// Good is how many of them were good, see Options.Objective; without an
	// objective these are ok and declined.
	Good []int64
	// LatencyMs are response times by journey, OverallMs of all of them. They
	// are nil, and empty, where only counts are kept.
	LatencyMs []Quantiles
	OverallMs Quantiles
	// LatencySpanS is over how many seconds the latencies are taken: 1, and more
	// in a run of more than an hour.
	LatencySpanS int
}

// SecondFigures is a Second of a Snapshot.
type SecondFigures = Second

func newSecond(index, journeys int) Second {
	return Second{
		Index: index, Scheduled: make([]int64, journeys), Sent: make([]int64, journeys), Good: make([]int64, journeys),
		Outcomes: make([][loadgen.OutcomeCount]int64, journeys),
	}
}

// Decided is how many journeys of a kind were decided in this second.
func (s *Second) Decided(j loadgen.Journey) int64 {
	var n int64
	for _, count := range s.Outcomes[j] {
		n += count
	}
	return n
}

// Total is the counts of all journeys: scheduled, sent, and by outcome.
func (s *Second) Total() (scheduled, sent int64, outcomes [loadgen.OutcomeCount]int64) {
	for j := range s.Scheduled {
		scheduled += s.Scheduled[j]
		sent += s.Sent[j]
		for o, n := range s.Outcomes[j] {
			outcomes[o] += n
		}
	}
	return scheduled, sent, outcomes
}

// Series counts records by second since the run's origin.
type Series struct {
	journeys int
	seconds  []Second
}

// SeriesOf counts records, and takes the quantiles of each second. names is the
// table that they point into.
func SeriesOf(records []loadgen.Record, names []string) []Second {
	s := Series{journeys: len(names)}
	for i := range records {
		s.Add(&records[i])
	}
	spans := make([][][]int64, len(s.seconds))
	for i := range spans {
		spans[i] = make([][]int64, len(names))
	}
	for i := range records {
		r := &records[i]
		if ns, ok := Response.Of(r); ok && r.Retry == 0 {
			of := &spans[secondOf(r.IntendedNs)][r.Journey]
			*of = append(*of, ns)
		}
	}
	for i := range s.seconds {
		second := &s.seconds[i]
		second.LatencySpanS, second.OverallMs = 1, quantilesOf(slices.Concat(spans[i]...))
		second.LatencyMs = make([]Quantiles, len(names))
		for j := range names {
			second.LatencyMs[j] = quantilesOf(spans[i][j])
		}
	}
	return s.seconds
}

// Add counts a record; retries are left out.
func (s *Series) Add(r *loadgen.Record) {
	if r.Retry > 0 {
		return
	}
	intended := s.at(r.IntendedNs)
	intended.Scheduled[r.Journey]++
	if r.Sent() {
		intended.Sent[r.Journey]++
	}
	decided := s.at(r.DoneNs)
	decided.Outcomes[r.Journey][outcomeOf(r)]++
	if goodWithin(r, 0) {
		decided.Good[r.Journey]++
	}
}

// at is the second that a time lies in, made if need be.
func (s *Series) at(ns int64) *Second {
	i := secondOf(ns)
	for len(s.seconds) <= i {
		s.seconds = append(s.seconds, newSecond(len(s.seconds), s.journeys))
	}
	return &s.seconds[i]
}

// copyFrom is a copy of the seconds from one on.
func (s *Series) copyFrom(from int) []Second {
	if from >= len(s.seconds) {
		return nil
	}
	seconds := slices.Clone(s.seconds[max(from, 0):])
	for i := range seconds {
		one := &seconds[i]
		one.Scheduled, one.Sent = slices.Clone(one.Scheduled), slices.Clone(one.Sent)
		one.Outcomes, one.Good = slices.Clone(one.Outcomes), slices.Clone(one.Good)
	}
	return seconds
}

// secondOf is the second that a time lies in; what is before the origin counts
// in the first.
func secondOf(ns int64) int { return int(min(max(ns, 0)/1e9, secondsMax-1)) }

// outcomeOf is the outcome of a record; one without an outcome has failed.
func outcomeOf(r *loadgen.Record) loadgen.Outcome {
	if r.Outcome == 0 || int(r.Outcome) >= loadgen.OutcomeCount {
		return loadgen.Failed
	}
	return r.Outcome
}

// goodWithin says whether a journey ended ok or with a correct no, and within an
// objective if that is above 0.
func goodWithin(r *loadgen.Record, objectiveNs int64) bool {
	if r.Outcome != loadgen.OK && r.Outcome != loadgen.Declined {
		return false
	}
	ns, sent := Response.Of(r)
	return objectiveNs <= 0 || sent && ns <= objectiveNs
}
