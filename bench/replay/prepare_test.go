package replay

import (
	"strings"
	"testing"

	"breakbank/bench/arm"
)

func TestScheduleHash(t *testing.T) {
	hash := func(change func(*Options)) string {
		opts := options(t, "monzo-2017-short", "linkerd-2017")
		change(&opts)
		return prepare(t, opts).ScheduleSHA256()
	}
	same := hash(func(*Options) {})
	guarded, err := arm.Load("guarded")
	if err != nil {
		t.Fatal(err)
	}
	if hash(func(*Options) {}) != same || hash(func(o *Options) { o.Arm = guarded }) != same || hash(func(o *Options) { o.Without = []string{"pots"} }) != same {
		t.Error("the same seed draws another load, or the arm changes it")
	}
	if hash(func(o *Options) { o.Seed = 2 }) == same || hash(func(o *Options) { o.RatePerS = 101 }) == same {
		t.Error("another seed or rate draws the same load")
	}
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.RatePerS = 0 }, "rate 0"},
		{func(o *Options) { o.Pace = 0 }, "pace 0"},
		{func(o *Options) { o.RatePerS = 1e9 }, "at most 100000"},
		{func(o *Options) { o.Pace = 600 }, "too fast"},
		{func(o *Options) { o.Without = []string{"kettle"} }, "no such step or mechanism"},
	} {
		opts := options(t, "monzo-2017", "linkerd-2017")
		c.change(&opts)
		if _, err := Prepare(opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
