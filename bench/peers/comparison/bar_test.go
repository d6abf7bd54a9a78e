package comparison

import (
	"testing"

	"breakbank/bench/stats"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		atLeast   bool
		want      string
	}{
		{0.5, 1, false, Met},
		{0.5, 1.5, false, Undecided},
		{1.1, 1.5, false, Missed},
		{1, 1.5, true, Met},
		{0.5, 1.5, true, Undecided},
		{0.5, 0.9, true, Missed},
	} {
		b := Bar{Limit: 1, AtLeast: c.atLeast}
		if b.Judge(&stats.Estimate{Low: c.low, High: c.high}, ""); b.Verdict != c.want || b.AimVerdict != "" {
			t.Errorf("%+v: %s %s", c, b.Verdict, b.AimVerdict)
		}
	}
}

func TestABarThatIsNotMeasuredSaysWhy(t *testing.T) {
	aim := 0.5
	b := Bar{Limit: 1, Aim: &aim}
	if b.Judge(nil, "not installed"); b.Verdict != NotMeasured || b.Why != "not installed" || b.AimVerdict != "" {
		t.Errorf("%+v", b)
	}
	if b.Judge(&stats.Estimate{Low: 0.6, High: 0.9}, ""); b.Verdict != Met || b.AimVerdict != Missed {
		t.Errorf("%+v", b)
	}
}
