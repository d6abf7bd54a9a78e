package recording

import "breakbank/loadgen"

// secondsMax bounds a series, at some 400 bytes a second, to a day; what is
// later than that counts in the last second.
const secondsMax = 24 * 60 * 60

// Second is what one second of a run held. Scheduling belongs to the second of
// the intended time, outcomes to the second of the decision.
type Second struct {
	Scheduled [loadgen.JourneyCount]int64
	Sent      [loadgen.JourneyCount]int64
	// Outcomes is indexed by journey, then by outcome.
	Outcomes [loadgen.JourneyCount][loadgen.OutcomeCount]int64
}

// Decided is how many journeys of a kind were decided in this second.
func (s *Second) Decided(j loadgen.Journey) int64 {
	var n int64
	for _, count := range s.Outcomes[j] {
		n += count
	}
	return n
}

// Series counts records by second since the run's origin. The zero Series is
// empty and ready.
type Series struct{ seconds []Second }

// SeriesOf counts records.
func SeriesOf(records []loadgen.Record) []Second {
	var s Series
	for i := range records {
		s.Add(&records[i])
	}
	return s.seconds
}

// Add counts a record.
func (s *Series) Add(r *loadgen.Record) {
	intended := s.at(r.IntendedNs)
	intended.Scheduled[r.Journey]++
	if r.Sent() {
		intended.Sent[r.Journey]++
	}
	s.at(r.DoneNs).Outcomes[r.Journey][r.Outcome]++
}

// at is the second that a time lies in, made if need be.
func (s *Series) at(ns int64) *Second {
	i := secondOf(ns)
	for len(s.seconds) <= i {
		s.seconds = append(s.seconds, Second{})
	}
	return &s.seconds[i]
}

// secondOf is the second that a time lies in; what is before the origin counts
// in the first.
func secondOf(ns int64) int { return int(min(max(ns, 0)/1e9, secondsMax-1)) }
