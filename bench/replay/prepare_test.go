package replay

import (
	"math"
	"strings"
	"testing"
	"time"

	"breakbank/bench/arm"
	"breakbank/loadgen/customers"
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
	if hash(func(o *Options) { o.Customers = CustomersEven }) != same {
		t.Error("customers are not even by default")
	}
	if hash(func(o *Options) { o.Customers = CustomersPeople }) == same {
		t.Error("people draw the same load as everyone alike")
	}
}

// TestPeopleComeOnTopOfTheRate: what they do at once is of the scenario's rate at
// its first minute, and pushes lead to more; the cap has room for their retries.
func TestPeopleComeOnTopOfTheRate(t *testing.T) {
	opts := options(t, "monzo-2017", "linkerd-2017")
	opts.Customers = CustomersPeople
	run := prepare(t, opts)
	const first = 5 * time.Second // Five minutes of the afternoon.
	alone, followed, sessions := 0.0, 0, 0
	for _, a := range run.full.Arrivals {
		switch {
		case a.Follows:
			followed++
		case a.At < first:
			alone++
		}
		if a.Journey == customers.PaySession {
			sessions++
		}
	}
	want := opts.RatePerS * first.Seconds()
	if math.Abs(alone-want) > 5*math.Sqrt(want)+0.05*want {
		t.Errorf("%v arrivals in the first %v, want about %v", alone, first, want)
	}
	if followed < 1000 || sessions == 0 {
		t.Errorf("%d looks after a push, %d sessions", followed, sessions)
	}
	// An even load's cap is 18 s of the rate.
	if run.clients.maxInFlight < int(30*opts.RatePerS) || run.clients.tries != 4 {
		t.Errorf("%+v", run.clients)
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
		{func(o *Options) { o.Customers = "robots" }, `no model of customers "robots"; the models are even, people`},
	} {
		opts := options(t, "monzo-2017", "linkerd-2017")
		c.change(&opts)
		if _, err := Prepare(opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}
