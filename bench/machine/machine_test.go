package machine

import (
	"runtime"
	"testing"
	"time"
)

func TestTheLineOfProcStat(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       Time
	}{
		{
			"every field", "cpu  100 20 30 400 50 6 7 8 0 0",
			Time{Busy: 163 * tick, Stolen: 8 * tick, All: 621 * tick},
		},
		{"an old kernel, without steal", "cpu  100 20 30 400", Time{}},
		{"nothing", "", Time{}},
		{"no numbers", "cpu a b c d e f g h", Time{}},
	} {
		if got := parse(c.line); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestSharesOfAStretch(t *testing.T) {
	before := Time{Busy: time.Second, Stolen: time.Second, All: 10 * time.Second}
	spent := Time{Busy: 4 * time.Second, Stolen: 2 * time.Second, All: 20 * time.Second}.Minus(before)
	if got := spent.Steal(); got != 0.1 {
		t.Errorf("steal %v, want 0.1", got)
	}
	if got := spent.Others(2 * time.Second); got != 0.1 {
		t.Errorf("others %v, want 0.1", got)
	}
	if got := spent.Others(time.Minute); got != 0 {
		t.Errorf("others %v for ticks that rounded down, want 0", got)
	}
	if got := (Time{}).Steal(); got != 0 {
		t.Errorf("steal %v where it is not told, want 0", got)
	}
}

func TestThisMachine(t *testing.T) {
	e := Describe(time.Unix(0, 0), []string{"--quick"})
	if e.Cores != runtime.NumCPU() || e.Kernel == "" || e.StartedUTC != "1970-01-01T00:00:00Z" {
		t.Errorf("%+v", e)
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux tells how its cores spend their time")
	}
	if now := Now(); now.All <= 0 || now.Busy <= 0 || now.Busy > now.All {
		t.Errorf("%+v", now)
	}
}
