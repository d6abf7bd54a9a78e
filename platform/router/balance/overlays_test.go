package balance

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// parseOverlays reads a section as a router's configuration would.
func parseOverlays(t *testing.T, text string) OverlayConfig {
	t.Helper()
	var c OverlayConfig
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c.WithDefaults()
}

// Every overlay of the table can be turned on by its name alone, is off when
// it is not named, and is right as it comes.
func TestEveryOverlayCanBeNamed(t *testing.T) {
	if on := reflect.TypeFor[OverlayConfig]().NumField(); on != len(Overlays) {
		t.Errorf("%d overlays in the table, %d in the configuration", len(Overlays), on)
	}
	for _, kind := range Overlays {
		t.Run(kind.Name, func(t *testing.T) {
			c := parseOverlays(t, kind.Name+": {}")
			if err := c.Validate(); err != nil {
				t.Errorf("its defaults are refused: %v", err)
			}
			for _, other := range Overlays {
				if got := other.On(c); got != (other.Name == kind.Name) {
					t.Errorf("%s is on: %v", other.Name, got)
				}
			}
			if kind.On(parseOverlays(t, "{}")) {
				t.Error("on without being named")
			}
		})
	}
}

// What is refused is refused with what would be right.
func TestOverlaysRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"accrual: {consecutive: -1}":                            "at least 1",
		"accrual: {success_rate: 80}":                           "from 0 to 1",
		"accrual: {window: 1ms}":                                "at least 100ms",
		"accrual: {min_requests: -5}":                           "at least 1",
		"accrual: {backoff_min: 10s, backoff_max: 5s}":          "no less",
		"fail_fast: {min: -1s}":                                 "positive",
		"fail_fast: {min: 2s, max: 1s}":                         "at least min, 2s",
		"slow_start: {window: -1s}":                             "positive",
		"slow_start: {aggression: -1}":                          "straight line",
		"slow_start: {min_weight: 10}":                          "at most 1",
		"hedging: {percentile: 95}":                             "between 0 and 1",
		"hedging: {max_extra: 5}":                               "at most 1",
		"hedging: {min_delay: -1s}":                             "negative",
		"{accrual: {consecutive: -1}, hedging: {max_extra: 5}}": "overlay hedging",
	} {
		err := parseOverlays(t, text).Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that mentions %q", text, err, want)
		}
	}
}

func TestEjectionConfig(t *testing.T) {
	parse := func(text string) EjectionConfig {
		var c EjectionConfig
		if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return c.WithDefaults()
	}
	if err := parse("{success_rate: {}}").Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	for text, want := range map[string]string{
		"{consecutive: -1}":                   "at least 1",
		"{base: 10s, max: 5s}":                "no less",
		"{max_percent: 101}":                  "percentage",
		"{panic_percent: -1}":                 "percentage",
		"{success_rate: {min_endpoints: 1}}":  "at least 2",
		"{success_rate: {min_requests: -1}}":  "at least 1",
		"{success_rate: {stdev_factor: -.1}}": "positive",
	} {
		if err := parse(text).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that mentions %q", text, err, want)
		}
	}
}

// What every request passes allocates nothing once an endpoint is known.
func TestOverlaysDoNotAllocate(t *testing.T) {
	var (
		endpoints = testEndpoints(10)
		ejector   = NewEjector(EjectionConfig{MaxPercent: 50, SuccessRate: &SuccessRateConfig{}}.WithDefaults())
		accrual   = NewAccrual(AccrualConfig{}.WithDefaults())
		hedger    = NewHedger(HedgeConfig{}.WithDefaults())
		slow      = SlowStartConfig{}.WithDefaults()
		failFast  FailFast
		rng       = rand.New(rand.NewPCG(1, 1))
		now       = epoch
		i         int
	)
	if n := testing.AllocsPerRun(3000, func() {
		// Less than a sweep's interval in all: that one may allocate.
		now = now.Add(time.Millisecond)
		id := endpoints[i%len(endpoints)].ID
		i++
		ejector.Mark(now, endpoints)
		accrual.Mark(now, endpoints)
		endpoints[0].Weight = slow.Weight(time.Second)
		accrual.Sent(now, id)
		hedger.Request(now, true)
		hedger.Hedge(now)
		hedger.Took(now, time.Millisecond)
		accrual.Done(now, rng, id, Verdict(i%2))
		ejector.Observe(now, id, i%3 > 0, len(endpoints))
		ejector.Sweep(now, len(endpoints))
		failFast.Unreachable(now, FailFastConfig{}.WithDefaults())
	}); n >= 0.01 {
		t.Errorf("%v allocations a request", n)
	}
}
