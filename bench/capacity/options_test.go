package capacity

import (
	"strings"
	"testing"
	"time"

	"breakbank/bench/load"
	"breakbank/loadgen/evidence"
)

func TestObjectivesThatMakeNoSense(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "a condition is empty",
		"p99<100ms,":            "a condition is empty",
		"p99":                   "compares nothing",
		"p99<fast":              "is no time",
		"p99>100ms":             "holds when nothing works",
		"ok<99%":                "holds when nothing works",
		"p99<100ms,goodput>500": "the rate is what is looked for",
		"speed<100ms":           "there is no",
	} {
		if _, err := ParseObjective(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestWhatAnObjectiveAsks(t *testing.T) {
	for _, c := range []struct {
		text       string
		bound      time.Duration
		percentile float64
		requests   int
		allowing   int
		ofResponse bool
	}{
		{"p99<100ms,ok>99.9%", 100 * time.Millisecond, 99, 1000, 1000, true},
		{"p50<20ms, p99.9 < 250ms", 250 * time.Millisecond, 99.9, 10_000, 0, true},
		{"service.p90<=1s", time.Second, 90, 100, 0, false},
		{"send_delay.p99<1ms,error_rate<1%", 0, 99, 1000, 100, false},
		{"ok>99%", 0, 0, 100, 100, true},
	} {
		o, err := ParseObjective(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if bound, _ := o.bound(); bound != c.bound || o.percentile() != c.percentile || o.requests(beyond) != c.requests || o.allowing() != c.allowing || o.ofResponse() != c.ofResponse {
			t.Errorf("%s: %v, p%g, %d requests, %d", c.text, bound, o.percentile(), o.requests(beyond), o.allowing())
		}
	}
}

func TestHowLongAProbeIs(t *testing.T) {
	for _, c := range []struct {
		objective  string
		resolution float64
		perS       float64
		want       time.Duration
	}{
		{"p99<100ms", 0.05, 10_000, 4 * time.Second},
		{"p99<50ms", 0.05, 10_000, 4 * time.Second},    // no shorter
		{"p99<200ms", 0.05, 10_000, 8 * time.Second},   // 2.5 % beyond the capacity must show
		{"p99<100ms", 0.01, 10_000, 20 * time.Second},  // and here 0.5 %
		{"p99<100ms", 0.05, 100, 10 * time.Second},     // 1000 requests
		{"p99.9<100ms", 0.05, 1000, 10 * time.Second},  // 10,000
		{"p99.9<100ms", 0.05, 20, time.Minute},         // no longer
		{"p99<10s", 0.05, 10_000, time.Minute},         // no longer
		{"failed<0.1%", 0.05, 10_000, 4 * time.Second}, // nothing to wait for
		{"failed<0.1%", 0.05, 50, 20 * time.Second},    // 1000 requests, so that one may fail
		{"ok>99.999%", 0.05, 1000, 10 * time.Second},   // 10,000 are enough
		{"ok>50%", 0.05, 10, 10 * time.Second},         // 100 in any case
	} {
		o := options(t)
		var err error
		if o.Objective, err = ParseObjective(c.objective); err != nil {
			t.Fatal(err)
		}
		o.Plan.Resolution = c.resolution
		if got := o.length(c.perS); got != c.want {
			t.Errorf("%s to %g %% at %g/s: %v, want %v", c.objective, 100*c.resolution, c.perS, got, c.want)
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for want, spoil := range map[string]func(*Options){
		"no objective":      func(o *Options) { o.Objective = Objective{} },
		"closed loop":       func(o *Options) { o.Spec.Closed = 8 },
		"pacer burst":       func(o *Options) { o.Spec.Pacer = "burst:1..2/1s/2s" },
		"a probe of":        func(o *Options) { o.Probe = time.Millisecond },
		"a warm-up of":      func(o *Options) { o.WarmUp = -1 },
		"a pause of":        func(o *Options) { o.Pause = time.Hour },
		"they must rise":    func(o *Options) { o.Plan.MaxPerS = 50 },
		"a resolution of":   func(o *Options) { o.Plan.Resolution = 0 },
		"probes to confirm": func(o *Options) { o.Plan.ConfirmMax = 1 },
		"start higher":      func(o *Options) { o.Probe, o.Plan.StartPerS = 5*time.Second, 10 },
	} {
		o := options(t)
		spoil(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	o := options(t)
	if err := o.Check(); err != nil {
		t.Error(err)
	}
}

// TestWhoseFaultItWas: a load is INVALID by what the target does to it as well.
func TestWhoseFaultItWas(t *testing.T) {
	objective, err := ParseObjective("ok>99%")
	if err != nil {
		t.Fatal(err)
	}
	late := 7.0
	for name, c := range map[string]struct {
		phase Phase
		spoil func(*load.Result)
		want  Outcome
	}{
		"good":               {Confirm, func(*load.Result) {}, Met},
		"too much under way": {Climb, func(r *load.Result) { r.Evidence.Sent, r.Evidence.Dropped, r.Totals.OK = 900, 100, 900 }, Missed},
		"no connection":      {Climb, func(r *load.Result) { r.Evidence.Sent, r.Evidence.Unsent, r.Totals.OK = 900, 100, 900 }, Missed},
		"it rose, if not too far": {Climb, func(r *load.Result) {
			r.Evidence.Unsteady, r.Seconds = "it rose", seconds(1, 2, 3, 4)
		}, Missed},
		"it warmed up": {Climb, func(r *load.Result) {
			r.Evidence.Unsteady, r.Seconds = "it fell", seconds(4, 3, 2, 1)
		}, Met},
		"it kept rising":                 {Climb, func(r *load.Result) { r.Evidence.Unsteady, r.Totals.OK = "it rose", 800 }, Missed},
		"the generator was late":         {Confirm, func(r *load.Result) { r.Evidence.SendDelayP99Ms = &late }, Invalid},
		"late, and it met the objective": {Climb, func(r *load.Result) { r.Evidence.SendDelayP99Ms = &late }, Met},
		"late, and it missed the objective": {Climb, func(r *load.Result) {
			r.Evidence.SendDelayP99Ms, r.Totals.OK = &late, 800
		}, Invalid},
		"late, and less was sent": {Climb, func(r *load.Result) { r.Evidence.Sent, r.Evidence.Late = 900, 100 }, Invalid},
		"a schedule that is none": {Climb, func(r *load.Result) { r.Evidence.ScheduleTested, r.Evidence.ScheduleKSP = true, 0 }, Invalid},
	} {
		r := &load.Result{}
		r.Totals.Scheduled, r.Totals.OK = 1000, 1000
		r.Evidence.Scheduled, r.Evidence.Sent, r.Evidence.ScheduleKSP = 1000, 1000, 1
		c.spoil(r)
		r.InvalidReasons = evidence.SharedCores.Judge(r.Evidence)
		r.Valid = len(r.InvalidReasons) == 0
		_, got, why := judge(&objective, r, c.phase)
		if got != c.want || got == Invalid && len(why) == 0 {
			t.Errorf("%s: %v %v, want %v (%v)", name, got, why, c.want, r.InvalidReasons)
		}
	}
}

// seconds have these medians.
func seconds(p50Ms ...float64) []load.Second {
	var all []load.Second
	for i := range p50Ms {
		all = append(all, load.Second{LatencyMs: load.Latency{P50: &p50Ms[i]}})
	}
	return all
}
