package result

import (
	"testing"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/evidence"
)

// TestUnaccounted takes away from and adds to what a load of ten journeys
// leaves behind, of which one was dropped.
func TestUnaccounted(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*loadgen.Summary, []loadgen.Record) []loadgen.Record
		want  int64
	}{
		"all is there": {want: 0},
		"the last three were not due when it was stopped": {func(s *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			s.Interrupted, s.Scheduled, s.Sent = true, 7, 6
			return r[:7]
		}, 0},
		"one more came due in that instant": {func(s *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			s.Interrupted, s.Scheduled, s.Sent = true, 8, 6
			return r[:7]
		}, 0},
		"the last was never sent": {func(s *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			s.Sent--
			return r[:9]
		}, 1},
		"one in the midst was never sent": {func(s *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			s.Interrupted, s.Sent = true, 8
			return append(r[:4:4], r[5:]...)
		}, 1},
		"a record was lost": {func(_ *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			return r[:9]
		}, 2}, // A journey without a record, and one sent more than recorded.
		"a journey was recorded twice, another not": {func(_ *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			r[4].Seq = 5
			return r
		}, 2},
		"one that was not due": {func(s *loadgen.Summary, r []loadgen.Record) []loadgen.Record {
			s.Scheduled = 9
			return r
		}, 1},
	} {
		records := steady(customers.CardTap, 0, 1, 10, always(loadgen.OK))
		records[2].SentNs, records[2].Outcome = loadgen.NotSent, loadgen.Failed
		summary := loadgen.Summary{Scheduled: 10, Sent: 9, Dropped: 1}
		if c.spoil != nil {
			records = c.spoil(&summary, records)
		}
		records = append(records, loadgen.Record{Load: customers.LoadWarmup, Seq: 0})
		l := MeasureLoad(records, []Offered{
			{Schedule: &loadgen.Schedule{Load: loadgen.LoadMain}, Summary: summary},
			{Schedule: &loadgen.Schedule{Load: customers.LoadWarmup}, Summary: loadgen.Summary{Scheduled: 1, Sent: 1}},
		}, evidence.Self{})
		if l.Unaccounted != c.want {
			t.Errorf("%s: %d unaccounted for, want %d", name, l.Unaccounted, c.want)
		}
	}
}
