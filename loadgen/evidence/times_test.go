package evidence_test

import (
	"slices"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
)

func TestTimesLeaveOutWhatWasNotSent(t *testing.T) {
	intended, sent := evidence.Times([]loadgen.Record{
		{Load: "main", Seq: 2, IntendedNs: 30, SentNs: 31},
		{Load: "main", Seq: 1, IntendedNs: 20, SentNs: loadgen.NotSent},
		{Load: "main", Seq: 2, Retry: 1, IntendedNs: 35, SentNs: 36},
		{Load: "warmup", Seq: 0, IntendedNs: 5, SentNs: 6},
		{Load: "main", Seq: 0, IntendedNs: 10, SentNs: 12},
	}, "main")
	if len(intended) != 2 || intended[0] != 10 || intended[1] != 30 || sent[0] != 12 || sent[1] != 31 {
		t.Errorf("%v, %v", intended, sent)
	}
}

func TestSentTimesLeaveOutWhatWasNotSent(t *testing.T) {
	s := &loadgen.Schedule{Arrivals: []loadgen.Arrival{{At: 10}, {At: 20}, {At: 30}}}
	intended, sent := evidence.SentTimes(s, &loadgen.Summary{SentNs: []int64{112, loadgen.NotSent, 131}}, 100)
	if !slices.Equal(intended, []int64{10, 30}) || !slices.Equal(sent, []int64{12, 31}) {
		t.Errorf("%v, %v", intended, sent)
	}
	if intended, sent = evidence.SentTimes(s, &loadgen.Summary{}, 0); len(intended) != 0 || len(sent) != 0 {
		t.Errorf("of a closed loop: %v, %v", intended, sent)
	}
}

// TestALongLoadIsSeenThroughFewRequests: of a million, so many that a stall shows
// as large as it was, and the gaps are still those over 100 ms.
func TestALongLoadIsSeenThroughFewRequests(t *testing.T) {
	const n, every = 1_000_000, 100 * time.Microsecond
	s := &loadgen.Schedule{Arrivals: make([]loadgen.Arrival, n)}
	summary := loadgen.Summary{SentNs: make([]int64, n)}
	stalled, went := n/2*every.Nanoseconds(), n*6/10*every.Nanoseconds()
	for i := range s.Arrivals {
		s.Arrivals[i].At = time.Duration(i) * every
		if summary.SentNs[i] = s.Arrivals[i].At.Nanoseconds(); summary.SentNs[i] >= stalled {
			summary.SentNs[i] = max(summary.SentNs[i], went)
		}
	}
	intended, sent := evidence.SentTimes(s, &summary, 0)
	if len(sent) != 200_000 || len(intended) != len(sent) || intended[0] != 0 || intended[1] != 5*every.Nanoseconds() {
		t.Fatalf("%d and %d of %d requests", len(intended), len(sent), n)
	}
	if stray := evidence.StrayOf(intended, sent); stray.D < 0.0999 || stray.D > 0.1001 || stray.Group != 200 {
		t.Errorf("a tenth of the load stood still: %+v", stray)
	}
}
