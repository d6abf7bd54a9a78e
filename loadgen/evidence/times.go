package evidence

import (
	"cmp"
	"slices"

	"breakbank/loadgen"
)

// Times are the intended and the sent times of the requests of a load that were
// sent, in nanoseconds and in the schedule's order.
func Times(records []loadgen.Record, load string) (intendedNs, sentNs []int64) {
	var sent []*loadgen.Record
	for i := range records {
		if r := &records[i]; r.Load == load && r.Sent() {
			sent = append(sent, r)
		}
	}
	slices.SortFunc(sent, func(a, b *loadgen.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, r := range sent {
		intendedNs = append(intendedNs, r.IntendedNs)
		sentNs = append(sentNs, r.SentNs)
	}
	return intendedNs, sentNs
}

// Intended are the drawn times of a schedule, in nanoseconds.
func Intended(s *loadgen.Schedule) []int64 {
	times := make([]int64, len(s.Arrivals))
	for i := range s.Arrivals {
		times[i] = s.Arrivals[i].At.Nanoseconds()
	}
	return times
}
