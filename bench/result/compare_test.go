package result

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	a := &Result{Arm: "linkerd-2017", ScheduleSHA256: "x", Valid: true, Impact: Impact{FullOutageS: 18, PaymentsFailed: 900, CustomerMinutesLost: 12.5}}
	b := &Result{Arm: "guarded", ScheduleSHA256: "x", Valid: true, Illustrative: true}
	c := Compare([]*Result{a, b})
	if len(c.Cautions) != 0 {
		t.Errorf("cautions about a fair comparison: %v", c.Cautions)
	}
	for _, want := range []string{"linkerd-2017", "18.0", "900", "12.5", "VALID, illustrative"} {
		if !strings.Contains(c.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, c)
		}
	}
	b.ScheduleSHA256, b.Valid, b.InvalidReasons = "y", false, []string{"the audit failed"}
	c = Compare([]*Result{a, b})
	if text := c.String(); len(c.Cautions) != 2 || !strings.Contains(text, "another schedule") || !strings.Contains(text, "guarded is INVALID: the audit failed") {
		t.Errorf("cautions: %v", c.Cautions)
	}
	if got := Compare(nil); len(got.Rows) != 0 {
		t.Errorf("nothing compares to %v", got)
	}
}
