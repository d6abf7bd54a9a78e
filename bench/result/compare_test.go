package result

import (
	"slices"
	"testing"
)

func TestCompare(t *testing.T) {
	run := func(arm string, change func(*Result)) *Result {
		r := &Result{
			Arm: arm, Scenario: "monzo-2017", Pace: 60, ScheduleSHA256: "x", Valid: true, Illustrative: true,
			Impact: Impact{
				FullOutageS: 18, PartialOutageS: 60, PaymentsFailed: 900, PaymentsUnknown: 40, PaymentsStoodIn: 300,
				CustomerMinutesLost: 12.5, OverspendMinor: 7,
			},
			Audit: Audit{Ran: true, Passed: true},
		}
		change(r)
		return r
	}
	fair := func(*Result) {}
	c := Compare([]*Result{run("linkerd-2017", fair), run("guarded", fair)})
	if len(c.Cautions) != 0 {
		t.Errorf("cautions about a fair comparison: %v", c.Cautions)
	}
	want := Compared{
		Arm: "linkerd-2017", FullOutageS: 18, PartialOutageS: 60, PaymentsFailed: 900, PaymentsUnanswered: 40,
		PaymentsStoodIn: 300, CustomerMinutesLost: 12.5, OverspendMinor: 7,
		Audited: true, BooksBalance: true, Valid: true, Illustrative: true,
	}
	if len(c.Rows) != 2 || c.Rows[0] != want || c.Rows[1].Arm != "guarded" {
		t.Errorf("rows %+v, want the first %+v", c.Rows, want)
	}
	for _, unfair := range []struct {
		change func(*Result)
		want   string
	}{
		{func(r *Result) { r.ScheduleSHA256 = "y" }, "guarded was offered another schedule than linkerd-2017"},
		{func(r *Result) { r.Scenario = "monzo-2017-late" }, "guarded played monzo-2017-late, linkerd-2017 played monzo-2017"},
		{func(r *Result) { r.Pace = 30 }, "guarded was played at pace 30, linkerd-2017 at 60"},
		{func(r *Result) { r.Without = []string{"pots"} }, "guarded was played without pots, linkerd-2017 whole"},
		{
			func(r *Result) { r.Valid, r.InvalidReasons = false, []string{"the audit failed", "late"} },
			"guarded is INVALID: the audit failed; late",
		},
	} {
		c := Compare([]*Result{run("linkerd-2017", fair), run("guarded", unfair.change)})
		if !slices.Equal(c.Cautions, []string{unfair.want}) {
			t.Errorf("cautions %q, want %q", c.Cautions, unfair.want)
		}
	}
	if got := Compare(nil); len(got.Rows) != 0 || len(got.Cautions) != 0 {
		t.Errorf("nothing compares to %v", got)
	}
}
