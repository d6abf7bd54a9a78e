package recording_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/recording"

	"pgregory.net/rapid"
)

// halves cuts the time of records in two.
var halves = []recording.Phase{{Name: "before", ToNs: 5000 * ms}, {Name: "after", FromNs: 5000 * ms, ToNs: 12_000 * ms}}

func newRecorder() *recording.Recorder {
	return recording.NewRecorder(recording.Options{Journeys: journeys, Phases: halves, Patience: 15 * time.Second})
}

func recorded(all []loadgen.Record) *recording.Snapshot {
	r := newRecorder()
	for i := range all {
		r.Record(&all[i])
	}
	return r.Snapshot()
}

// near says whether a quantile is what it should be, to so much of itself or a
// microsecond, and never less.
func near(got, want *float64, off float64) bool {
	if got == nil || want == nil {
		return got == want
	}
	const rounded = 0.001 + 1e-9
	return *got > *want-rounded && *got < *want+rounded+off**want
}

func sameQuantiles(t *rapid.T, what string, got, want recording.Quantiles, off float64) {
	if got.Samples != want.Samples || !near(got.P50, want.P50, off) || !near(got.P90, want.P90, off) ||
		!near(got.P99, want.P99, off) || !near(got.P999, want.P999, off) || !near(got.Max, want.Max, off) {
		t.Fatalf("%s: %s, want %s", what, shown(got), shown(want))
	}
}

func shown(q recording.Quantiles) string {
	text := fmt.Sprintf("%d samples", q.Samples)
	for _, v := range []*float64{q.P50, q.P90, q.P99, q.P999, q.Max} {
		if v == nil {
			text += " -"
		} else {
			text += fmt.Sprintf(" %.3f", *v)
		}
	}
	return text
}

func TestASnapshotSaysWhatTheRecordsDo(t *testing.T) {
	const exact, series = 0.001, 0.009
	rapid.Check(t, func(t *rapid.T) {
		all := records(t)
		s := recorded(all)

		got, want := s.Totals(int64(len(all)), 3*time.Second), recording.TotalsOf(all, len(all), 3*time.Second)
		sameQuantiles(t, "latency", got.LatencyMs, want.LatencyMs, exact)
		sameQuantiles(t, "service", got.ServiceMs, want.ServiceMs, exact)
		sameQuantiles(t, "send delay", got.SendDelayMs, want.SendDelayMs, exact)
		for _, q := range []*recording.Totals{&got, &want} {
			q.LatencyMs, q.ServiceMs, q.SendDelayMs = recording.Quantiles{}, recording.Quantiles{}, recording.Quantiles{}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("totals: %+v, want %+v", got, want)
		}
		if s.Retries() != recording.RetriesOf(all) {
			t.Fatalf("retries: %+v, want %+v", s.Retries(), recording.RetriesOf(all))
		}

		phases := s.Phases()
		for p, want := range recording.ByPhase(all, halves, journeys) {
			for j := range journeys {
				got, want := phases[p].Journeys[j], want.Journeys[j]
				if got.Tally != want.Tally || got.Good != want.Good || got.Scheduled != want.Scheduled || got.Sent != want.Sent {
					t.Fatalf("%s: %+v, want %+v", phases[p].Phase.Name, got, want)
				}
				sameQuantiles(t, "latency of a phase", got.LatencyMs, want.LatencyMs, exact)
				sameQuantiles(t, "service of a phase", got.ServiceMs, want.ServiceMs, exact)
				sameQuantiles(t, "send delay of a phase", got.SendDelayMs, want.SendDelayMs, exact)
			}
		}

		seconds, wanted := s.Seconds(), recording.SeriesOf(all, journeys)
		if len(seconds) != len(wanted) {
			t.Fatalf("%d seconds, want %d", len(seconds), len(wanted))
		}
		for i, want := range wanted {
			got := seconds[i]
			if got.Index != want.Index || got.LatencySpanS != 1 || !slices.Equal(got.Scheduled, want.Scheduled) ||
				!slices.Equal(got.Sent, want.Sent) || !slices.Equal(got.Good, want.Good) || !slices.Equal(got.Outcomes, want.Outcomes) {
				t.Fatalf("second %d: %+v, want %+v", i, got, want)
			}
			sameQuantiles(t, "a second", got.OverallMs, want.OverallMs, series)
			for j := range journeys {
				sameQuantiles(t, "a second of a journey", got.LatencyMs[j], want.LatencyMs[j], series)
			}
		}
	})
}

func TestSnapshotsMergeToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := records(t)
		const workers = 3
		var parts [workers][]loadgen.Record
		for _, r := range all {
			w := rapid.IntRange(0, workers-1).Draw(t, "worker")
			parts[w] = append(parts[w], r)
		}
		whole := written(t, recorded(all))
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
			var sum recording.Snapshot
			for _, w := range order {
				if err := sum.Merge(recorded(parts[w])); err != nil {
					t.Fatal(err)
				}
			}
			if got := written(t, &sum); got != whole {
				t.Fatalf("merged in the order %v, %d bytes; the whole %d", order, len(got), len(whole))
			}
		}
		right := recorded(parts[1])
		before := written(t, recorded(parts[2]))
		third := recorded(parts[2])
		if err := right.Merge(third); err != nil {
			t.Fatal(err)
		}
		left := recorded(parts[0])
		if err := left.Merge(right); err != nil {
			t.Fatal(err)
		}
		if written(t, left) != whole {
			t.Fatal("a + (b + c) is not a + b + c")
		}
		if written(t, third) != before {
			t.Fatal("merging changed what was merged")
		}
	})
}

func written(t interface{ Fatal(...any) }, s *recording.Snapshot) string {
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOnlyTheLikeMerge(t *testing.T) {
	one := recorded(nil)
	for _, o := range []recording.Options{
		{Journeys: []string{"call"}, Phases: halves},
		{Journeys: journeys},
		{Journeys: journeys, Phases: halves, Objective: time.Second},
	} {
		if err := one.Merge(recording.NewRecorder(o).Snapshot()); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("merged with %v: %v", o, err)
		}
	}
	if err := one.Merge(&recording.Snapshot{}); err != nil {
		t.Error(err)
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := recorded(records(t))
		var back recording.Snapshot
		if err := back.UnmarshalBinary([]byte(written(t, s))); err != nil {
			t.Fatal(err)
		}
		if written(t, &back) != written(t, s) || fmt.Sprint(back.Phases()[0].Phase) != fmt.Sprint(halves[0]) {
			t.Fatal("what was read is not what was written")
		}
		if err := back.Merge(s); err != nil {
			t.Fatal(err)
		}
		if back.Totals(0, 0).Sent != 2*s.Totals(0, 0).Sent {
			t.Fatal("what was read does not merge")
		}
	})
}

// TestSnapshotsOfLongRunsMerge has workers that record for unlike times, long
// enough for the intervals of the log to grow.
func TestSnapshotsOfLongRunsMerge(t *testing.T) {
	const lasts = 700
	both, first, second := newRecorder(), newRecorder(), newRecorder()
	for i := range 40 * lasts {
		at := int64(i) * 1000 / 40
		r := record(i, at, at+int64(2+i*i%977), loadgen.OK)
		ofJourney(&r, i%len(journeys))
		if i%2 == 0 && i < 40*lasts/3 {
			first.Record(&r)
		} else {
			second.Record(&r)
		}
		both.Record(&r)
	}
	merged := first.Snapshot()
	if err := merged.Merge(second.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if whole := written(t, both.Snapshot()); written(t, merged) != whole {
		t.Error("the parts are not the whole")
	}
	if n := len(merged.Seconds()); n != lasts+1 {
		t.Errorf("%d seconds", n)
	}
	for i, s := range merged.Seconds()[:lasts] {
		if scheduled, _, _ := s.Total(); scheduled != 40 || s.OverallMs.Samples != 40 {
			t.Fatalf("second %d: %d scheduled, %s", i, scheduled, shown(s.OverallMs))
		}
	}
}

func TestErrorsByClass(t *testing.T) {
	r := newRecorder()
	for i := range 3000 {
		one := record(i, int64(i), int64(i+1), loadgen.Failed)
		one.Code, one.Err = "UNAVAILABLE", fmt.Sprintf("dial 10.0.0.%d:%d: refused", i%250, i)
		if i%10 == 0 {
			one.Err = fmt.Sprintf("no host %c%c%c", 'a'+i/10%26, 'a'+i/260%26, 'z')
		}
		r.Record(&one)
	}
	ok := record(0, 0, 1, loadgen.Declined)
	r.Record(&ok)
	s := r.Snapshot()
	classes := s.Errors()
	var sum int64
	for _, n := range classes {
		sum += n
	}
	if n := classes[recording.Class{Code: "UNAVAILABLE", Cause: "dial #.#.#.#:#: refused"}]; n != 2700 {
		t.Errorf("%d refused", n)
	}
	if sum != 3000 || len(classes) != 257 || classes[recording.Class{Code: "other"}] == 0 {
		t.Errorf("%d errors in %d classes", sum, len(classes))
	}
	if codes := s.Totals(0, 0).Errors; len(codes) != 1 || codes["UNAVAILABLE"] != 3000 {
		t.Errorf("codes: %v", codes)
	}
}

func TestWhatStreamsAndHopsReport(t *testing.T) {
	r := newRecorder()
	one, retry, lost := record(0, 0, 5, loadgen.OK), record(0, 10, 30, loadgen.OK), dropped(1, 2)
	one.Messages, retry.Retry, retry.Messages = 7, 1, 9
	for _, rec := range []*loadgen.Record{&one, &retry, &lost} {
		r.Record(rec)
	}
	s := r.Snapshot()
	if s.Messages() != 7 || s.Attempts() != 2 || s.Routes()["stale"] != 1 {
		t.Errorf("%d messages, %d attempts, routes %v", s.Messages(), s.Attempts(), s.Routes())
	}
	if h := s.RetryTimes(); h.TotalCount() != 1 || !h.ValuesAreEquivalent(h.Max(), 20*ms) {
		t.Errorf("%d retries of up to %d ns", h.TotalCount(), h.Max())
	}
	if h := s.Overall(recording.Response); h.TotalCount() != 1 || !h.Equals(s.Histogram(recording.Response, 0)) {
		t.Errorf("%d response times", h.TotalCount())
	}
	if q := s.Quantiles(recording.Response, 0); q.Samples != 1 || s.Tally(0).Offered != 2 {
		t.Errorf("%+v, %+v", q, s.Tally(0))
	}
}

func TestGoodIsWithinTheObjective(t *testing.T) {
	r := recording.NewRecorder(recording.Options{Journeys: journeys, Phases: halves, Objective: 100 * time.Millisecond})
	for i, took := range []int64{99, 100, 101} {
		for _, o := range []loadgen.Outcome{loadgen.OK, loadgen.Degraded, loadgen.Declined, loadgen.Failed, loadgen.Unknown} {
			one := record(i, 900+took, 900+2*took, o)
			ofJourney(&one, 1)
			r.Record(&one)
		}
	}
	s := r.Snapshot()
	if s.Good() != 4 || s.Phases()[0].Journeys[1].Good != 4 || s.Seconds()[1].Good[1] != 4 || r.Live(1).Good != 4 {
		t.Errorf("%d good, %d in the phase, %d in the second", s.Good(), s.Phases()[0].Journeys[1].Good, s.Seconds()[1].Good[1])
	}
	var back recording.Snapshot
	if err := back.UnmarshalBinary([]byte(written(t, s))); err != nil {
		t.Fatal(err)
	}
	if err := back.Merge(s); err != nil || back.Good() != 8 {
		t.Errorf("%d good in both (%v)", back.Good(), err)
	}
}

// TestLiveSaysWhatASnapshotDoes of the seconds that it looks at.
func TestLiveSaysWhatASnapshotDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRecorder()
		for _, one := range records(t) {
			r.Record(&one)
		}
		n := rapid.IntRange(0, 20).Draw(t, "seconds")
		live, s := r.Live(n), r.Snapshot()
		seconds := s.Seconds()
		if want := seconds[max(0, len(seconds)-n):]; len(live.Seconds) != len(want) || len(want) > 0 && !reflect.DeepEqual(live.Seconds, want) {
			t.Fatalf("%+v, want %+v", live.Seconds, want)
		}
		totals := s.Totals(0, 0)
		if live.Sent != totals.Sent || live.Good != s.Good() || live.Tally.OK != totals.OK || live.Retries != s.Retries().Offered {
			t.Fatalf("%+v, want %+v", live, totals)
		}
	})
}

func TestPausesAreInNoLatency(t *testing.T) {
	r := newRecorder()
	one := record(0, 0, 10_000, loadgen.OK)
	one.ThinkNs = 9_900 * ms
	r.Record(&one)
	totals := r.Snapshot().Totals(1, time.Second)
	if got := *totals.LatencyMs.Max; math.Abs(got/100-1) > 0.001 {
		t.Errorf("a response of 100 ms and a pause is %v ms", got)
	}
	if got := *totals.ServiceMs.Max; math.Abs(got/99-1) > 0.001 {
		t.Errorf("a service of 99 ms and a pause is %v ms", got)
	}
}

func TestOnSecondIsToldInOrderOfEverySecond(t *testing.T) {
	var told []recording.Second
	var r *recording.Recorder
	r = recording.NewRecorder(recording.Options{Journeys: journeys, Patience: 3 * time.Second, OnSecond: func(s recording.Second) {
		told = append(told, s)
		_ = r.Snapshot() // Must not lock up.
	}})
	const seconds = 40
	for i := range seconds * 100 {
		one := record(i, int64(i)*10, int64(i)*10+2, loadgen.OK)
		r.Record(&one)
	}
	if len(told) < seconds-10 || len(told) > seconds-3 {
		t.Errorf("told of %d seconds while it ran", len(told))
	}
	r.Finish()
	if len(told) != seconds {
		t.Fatalf("told of %d seconds", len(told))
	}
	for i, s := range told {
		if s.Index != i || s.Scheduled[0] != 100 || s.LatencyMs[0].Samples != 100 || s.OverallMs.P50 == nil {
			t.Errorf("second %d: %+v", i, s)
		}
	}
}

// TestLateRecordsCount has records that come long after their second was closed:
// they are in every figure, and in the series with the first second still open.
func TestLateRecordsCount(t *testing.T) {
	r := recording.NewRecorder(recording.Options{Journeys: journeys, Patience: time.Second})
	for i := range 100_000 {
		one := record(i, int64(i), int64(i+2), loadgen.OK)
		r.Record(&one)
	}
	late := record(0, 0, 99_000, loadgen.OK)
	r.Record(&late)
	s := r.Snapshot()
	if totals := s.Totals(100_001, 100*time.Second); totals.Sent != 100_001 || math.Abs(*totals.LatencyMs.Max/99_000-60_000./99_000) > 0.001 {
		t.Errorf("%d sent, at most %v ms", totals.Sent, *totals.LatencyMs.Max)
	}
	seconds := s.Seconds()
	if seconds[0].Scheduled[0] != 1000 {
		t.Errorf("the first second has %d", seconds[0].Scheduled[0])
	}
	var sum int64
	for i := range seconds {
		sum += seconds[i].Scheduled[0]
	}
	if sum != 100_001 {
		t.Errorf("%d in the series", sum)
	}
}

// TestLatenciesOfLongRunsAreByMoreThanASecond has two hours and a bit: more
// seconds than the series keeps each by itself.
func TestLatenciesOfLongRunsAreByMoreThanASecond(t *testing.T) {
	r := newRecorder()
	for _, at := range []int64{500, 1500, 7_198_500} {
		one := record(0, at, at+2000, loadgen.OK)
		r.Record(&one)
	}
	seconds := r.Snapshot().Seconds()
	if len(seconds) != 7201 {
		t.Fatalf("%d seconds", len(seconds))
	}
	for i, want := range map[int]struct{ scheduled, samples, span int }{
		0: {1, 2, 2}, 1: {1, 2, 2}, 2: {0, 0, 2}, 7198: {1, 1, 2}, 7200: {0, 0, 1},
	} {
		got := seconds[i]
		if got.Index != i || got.Scheduled[0] != int64(want.scheduled) || got.LatencyMs[0].Samples != want.samples || got.LatencySpanS != want.span {
			t.Errorf("second %d: %+v, want %+v", i, got, want)
		}
	}
	if seconds[7200].Outcomes[0][loadgen.OK] != 1 {
		t.Errorf("the last second: %+v", seconds[7200])
	}
}

func TestFarTimesAreBounded(t *testing.T) {
	r := newRecorder()
	for _, at := range []int64{0, math.MaxInt64 / 2, -5, 40_000 * 1000 * ms} {
		one := record(0, 0, 0, loadgen.OK)
		one.IntendedNs, one.SentNs, one.DoneNs = at, max(at, 0), at+5
		r.Record(&one)
	}
	s := r.Snapshot()
	if n := len(s.Seconds()); n != 24*60*60 || s.Totals(4, time.Second).Sent != 4 {
		t.Errorf("%d seconds, %d sent", n, s.Totals(4, time.Second).Sent)
	}
	var back recording.Snapshot
	if err := back.UnmarshalBinary([]byte(written(t, s))); err != nil {
		t.Error(err)
	}
}

func TestTheRecorderIsConcurrent(t *testing.T) {
	const writers, each = 8, 20_000
	seconds := 0
	r := recording.NewRecorder(recording.Options{
		Journeys: journeys, Phases: halves, Patience: time.Second,
		OnSecond: func(s recording.Second) {
			if s.Index != seconds {
				t.Errorf("second %d after %d", s.Index, seconds-1)
			}
			seconds++
		},
	})
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	reading.Go(func() {
		for last := int64(0); ; {
			sent := r.Snapshot().Totals(0, 0).Sent
			if sent < last {
				t.Errorf("%d sent after %d", sent, last)
			}
			last = sent
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				at := int64(i)
				one := record(i, at, at+3, loadgen.OK)
				ofJourney(&one, w%len(journeys))
				r.Record(&one)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	r.Finish()
	s := r.Snapshot()
	if n := s.Totals(0, 0).Sent; n != writers*each || seconds != each/1000+1 {
		t.Errorf("%d sent, %d seconds", n, seconds)
	}
	var latencies int
	for _, second := range s.Seconds() {
		latencies += second.OverallMs.Samples
	}
	if latencies != writers*each {
		t.Errorf("%d latencies in the series", latencies)
	}
}
