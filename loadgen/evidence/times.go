package evidence

import (
	"cmp"
	"slices"

	"breakbank/loadgen"
)

// pairsMax bounds how many requests the tests look at. Of more, they take every
// k-th, spread over the whole load: a distance is then known to some 1/pairsMax,
// and a test of hours takes as little memory as one of seconds.
const pairsMax = 200_000

// strideOf is k, for n requests.
func strideOf(n int) int { return (n + pairsMax - 1) / pairsMax }

// SentTimes are the intended and the sent times of the arrivals of a schedule
// that were sent, in nanoseconds since the start of the load, in the schedule's
// order; at most pairsMax of them, evenly chosen. Those that other workers were
// to send are left out as well.
//
// startNs is when the load began since the runner's origin: 0 unless the runner
// was given another Origin than the start.
func SentTimes(s *loadgen.Schedule, summary *loadgen.Summary, startNs int64) (intendedNs, sentNs []int64) {
	sent := 0
	for _, at := range summary.SentNs {
		if at != loadgen.NotSent {
			sent++
		}
	}
	stride, skip := strideOf(sent), 0
	for i, at := range summary.SentNs {
		if at == loadgen.NotSent {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		skip = stride - 1
		intendedNs = append(intendedNs, s.Arrivals[i].At.Nanoseconds())
		sentNs = append(sentNs, at-startNs)
	}
	return intendedNs, sentNs
}

// Times are the same from the records of a load, for those who keep them: the
// intended and the sent times of all that were sent, in nanoseconds since the
// records' origin. Retries are no part of the schedule.
func Times(records []loadgen.Record, load string) (intendedNs, sentNs []int64) {
	var sent []*loadgen.Record
	for i := range records {
		if r := &records[i]; r.Load == load && r.Retry == 0 && r.Sent() {
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
