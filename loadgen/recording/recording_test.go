package recording_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/recording"

	"pgregory.net/rapid"
)

const ms = int64(time.Millisecond)

// journeys is the table of the tests; the records of record are of the first.
var journeys = []string{"card_tap", "app_refresh", "transfer_out"}

// record is a tap intended at one time and decided at another, in ms, sent
// 1 ms after it was due.
func record(seq int, intendedMs, doneMs int64, o loadgen.Outcome) loadgen.Record {
	return loadgen.Record{
		Load: loadgen.LoadMain, Seq: seq, Journey: 0, Name: "card_tap", Customer: 7, AmountMinor: 100, Key: "k",
		IntendedNs: intendedMs * ms, SentNs: (intendedMs + 1) * ms, DoneNs: doneMs * ms,
		Decision:   loadgen.Decision{Outcome: o, Code: "00", Standin: true},
		Provenance: loadgen.Provenance{Route: "stale", RouteAgeMs: 5, Attempts: 2},
	}
}

func dropped(seq int, intendedMs int64) loadgen.Record {
	r := record(seq, intendedMs, intendedMs, loadgen.Failed)
	r.SentNs, r.Code = loadgen.NotSent, loadgen.CodeDropped
	return r
}

func ofJourney(r *loadgen.Record, j int) { r.Journey, r.Name = loadgen.Journey(j), journeys[j] }

// records are records of 15 s in no order: some dropped, some retries, some with
// pauses, a few kinds of errors.
func records(t *rapid.T) []loadgen.Record {
	n := rapid.IntRange(0, 300).Draw(t, "n")
	all := make([]loadgen.Record, n)
	for i := range all {
		intended := rapid.Int64Range(0, 9999).Draw(t, "intended")
		all[i] = record(i, intended, intended+rapid.Int64Range(1, 5000).Draw(t, "took"),
			loadgen.Outcome(rapid.IntRange(1, 5).Draw(t, "outcome")))
		ofJourney(&all[i], rapid.IntRange(0, len(journeys)-1).Draw(t, "journey"))
		if rapid.IntRange(0, 9).Draw(t, "drop") == 0 {
			all[i].SentNs = loadgen.NotSent
		}
		if all[i].Sent() && rapid.IntRange(0, 4).Draw(t, "think") == 0 {
			all[i].ThinkNs = (all[i].DoneNs - all[i].SentNs) / 2
		}
		all[i].Retry = max(0, rapid.IntRange(-4, 2).Draw(t, "retry"))
		all[i].Err = rapid.SampledFrom([]string{"", "dial 10.0.0.1:80: refused", "dial 10.0.0.2:81: refused", "no"}).Draw(t, "err")
		all[i].Route = rapid.SampledFrom([]string{"", "live", "stale"}).Draw(t, "route")
		all[i].Messages = rapid.Int64Range(0, 3).Draw(t, "messages")
	}
	return all
}

func TestPhasesCountDecisionsAndIntentionsApart(t *testing.T) {
	all := []loadgen.Record{
		record(0, 100, 150, loadgen.OK),
		record(1, 900, 1500, loadgen.Failed), // intended before the fault, failed by it
		record(2, 1200, 1300, loadgen.Unknown),
		dropped(3, 1400),
		record(4, 1600, 2000, loadgen.Declined), // the end belongs to the next phase
	}
	f := recording.ByPhase(all, []recording.Phase{{Name: "baseline", ToNs: 1000 * ms}, {Name: "dark", FromNs: 1000 * ms, ToNs: 2000 * ms}}, journeys)
	first, second := f[0].Journeys[0], f[1].Journeys[0]
	if want := (recording.Tally{Offered: 1, OK: 1}); first.Tally != want {
		t.Errorf("baseline: %+v", first.Tally)
	}
	if want := (recording.Tally{Offered: 3, Failed: 2, Unknown: 1}); second.Tally != want {
		t.Errorf("dark: %+v", second.Tally)
	}
	if first.Scheduled != 2 || first.Sent != 2 || second.Scheduled != 3 || second.Sent != 2 {
		t.Errorf("scheduled and sent: %+v, %+v", first, second)
	}
	if first.LatencyMs.P50 == nil || *first.LatencyMs.P50 != 50 || *first.LatencyMs.Max != 600 {
		t.Errorf("baseline latency: %+v", first.LatencyMs)
	}
}

func TestNothingIsCountedTwiceOrLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := records(t)
		cut := rapid.Int64Range(1, 14_999).Draw(t, "cut") * ms
		phases := []recording.Phase{{ToNs: cut}, {FromNs: cut, ToNs: 15_000 * ms}}
		var offered, scheduled, decided, due, retries int64
		for i := range all {
			if all[i].Retry > 0 {
				retries++
			}
		}
		for _, f := range recording.ByPhase(all, phases, journeys) {
			for _, j := range f.Journeys {
				offered += j.Offered
				scheduled += j.Scheduled
				if sum := j.OK + j.Degraded + j.Declined + j.Failed + j.Unknown; sum != j.Offered {
					t.Fatalf("%d outcomes of %d offered", sum, j.Offered)
				}
			}
		}
		for _, s := range recording.SeriesOf(all, journeys) {
			for j := range journeys {
				decided += s.Decided(loadgen.Journey(j))
				due += s.Scheduled[j]
			}
		}
		if n := int64(len(all)) - retries; recording.RetriesOf(all).Offered != retries || offered != n || scheduled != n || decided != n || due != n {
			t.Fatalf("%d records: %d offered and %d scheduled by phase, %d decided and %d scheduled by second", n, offered, scheduled, decided, due)
		}
	})
}

func TestQuantilesNeedSamples(t *testing.T) {
	for _, c := range []struct {
		n                   int
		p50, p90, p99, p999 bool
	}{
		{1, false, false, false, false},
		{2, true, false, false, false},
		{10, true, true, false, false},
		{99, true, true, false, false},
		{100, true, true, true, false},
		{999, true, true, true, false},
		{1000, true, true, true, true},
	} {
		all := make([]loadgen.Record, c.n)
		for i := range all {
			all[i] = record(i, 0, int64(c.n-i), loadgen.OK)
		}
		q := recording.TotalsOf(all, c.n, time.Second).LatencyMs
		if q.Samples != c.n || (q.P50 != nil) != c.p50 || (q.P90 != nil) != c.p90 || (q.P99 != nil) != c.p99 || (q.P999 != nil) != c.p999 {
			t.Errorf("%d samples: %+v", c.n, q)
		}
		if q.P99 != nil && *q.P99 != math.Ceil(0.99*float64(c.n)) {
			t.Errorf("p99 of 1..%d is %v", c.n, *q.P99)
		}
		if *q.Max != float64(c.n) {
			t.Errorf("the maximum of 1..%d is %v", c.n, *q.Max)
		}
	}
	text, err := json.Marshal(recording.TotalsOf(nil, 0, 0).LatencyMs)
	if err != nil || string(text) != `{"samples":0}` {
		t.Errorf("no samples: %s (%v)", text, err)
	}
}

func TestTotals(t *testing.T) {
	all := []loadgen.Record{record(0, 0, 10, loadgen.OK), record(1, 5, 30, loadgen.Failed), dropped(2, 7)}
	got := recording.TotalsOf(all, 4, 2*time.Second)
	if got.Scheduled != 4 || got.Sent != 2 || got.Done != 2 || got.OK != 1 || got.Failed != 2 || got.RatePerS != 1 ||
		got.Errors["00"] != 1 || got.Errors[loadgen.CodeDropped] != 1 || got.Routes["stale"] != 2 {
		t.Errorf("%+v", got)
	}
	if *got.ServiceMs.Max != 24 || *got.LatencyMs.Max != 25 || *got.SendDelayMs.Max != 1 {
		t.Errorf("%+v", got)
	}
}

func TestTheKeeperIsBoundedAndConcurrent(t *testing.T) {
	const writers, each, limit = 8, 1000, 7500
	r := recording.NewKeeper(journeys, limit)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				one := record(w*each+i, int64(w*each+i), int64(w*each+i+20), loadgen.OK)
				r.Record(&one)
			}
		})
	}
	all.Wait()
	kept := r.Records()
	if len(kept) != limit || r.Overflow() != writers*each-limit {
		t.Fatalf("%d kept, %d over", len(kept), r.Overflow())
	}
	for i := 1; i < len(kept); i++ {
		if kept[i].IntendedNs < kept[i-1].IntendedNs {
			t.Fatalf("record %d is out of order", i)
		}
	}
	if n := len(r.Series(0)); n != len(r.Series(3))+3 || r.Series(100) != nil {
		t.Errorf("%d seconds from 0, %d from 3", n, len(r.Series(3)))
	}
}

func TestJournalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := records(t)
		var file bytes.Buffer
		if err := recording.WriteJournal(&file, all); err != nil {
			t.Fatal(err)
		}
		back := []loadgen.Record{}
		for r, err := range recording.ReadJournal(&file, journeys) {
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, r)
		}
		if !reflect.DeepEqual(back, all) {
			t.Fatalf("wrote %+v, read %+v", all, back)
		}
	})
}

func TestABrokenJournalIsAnError(t *testing.T) {
	var whole bytes.Buffer
	if err := recording.WriteJournal(&whole, []loadgen.Record{record(0, 1, 2, loadgen.OK)}); err != nil {
		t.Fatal(err)
	}
	last := func(file []byte) (err error) {
		for _, err = range recording.ReadJournal(bytes.NewReader(file), nil) {
		}
		return err
	}
	if err := last(whole.Bytes()[:whole.Len()-3]); err == nil {
		t.Error("a journal cut short was read without an error")
	}
	if err := last([]byte("not zstd")); err == nil {
		t.Error("what is no journal was read without an error")
	}
	for _, err := range recording.ReadJournal(bytes.NewReader(whole.Bytes()), []string{"call"}) {
		if err == nil || !strings.Contains(err.Error(), `no journey "card_tap"`) {
			t.Errorf("a journey that is not in the table: %v", err)
		}
	}
	for r, err := range recording.ReadJournal(bytes.NewReader(whole.Bytes()), nil) {
		if err != nil || r.Name != "card_tap" {
			t.Errorf("without a table: %+v (%v)", r, err)
		}
	}
	if err := recording.WriteJournal(&whole, make([]loadgen.Record, 1)); err == nil {
		t.Error("a record without an outcome was written")
	}
}

func TestSeriesFile(t *testing.T) {
	all := []loadgen.Record{record(0, 100, 150, loadgen.OK), record(1, 900, 1500, loadgen.Failed), dropped(2, 950)}
	var file strings.Builder
	if err := recording.WriteSeries(&file, all, journeys); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(file.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1+2*len(journeys) {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range map[int]string{
		1:                 "0 card_tap 3 2 1 0 0 1 0 50.000  600.000",
		1 + len(journeys): "1 card_tap 0 0 0 0 0 1 0   ",
	} {
		if got := strings.Join(lines[i], " "); got != want {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
}
