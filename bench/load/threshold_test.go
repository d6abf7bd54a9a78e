package load_test

import (
	"strings"
	"testing"

	"breakbank/bench/load"
)

func TestThresholdsAreJudged(t *testing.T) {
	t.Parallel()
	s := spec(serve(t, &server{failEach: 10}))
	var thresholds []load.Threshold
	want := map[string]bool{ // whether it is missed
		"p99>1h":              false,
		"p99>0ms":             true,
		"response.p50>=0s":    true,
		"service.max<1h":      true,
		"send_delay.mean>10s": false,
		"p90<=1h":             true,
		"ok<95%":              true,
		"ok<50%":              false,
		"ok<1":                false,
		"failed>0":            true,
		"failed>50%":          false,
		"error_rate>0.1%":     true,
		"error_rate>50%":      false,
		"unknown>0":           false,
		"degraded>0":          false,
		"dropped>0":           false,
		"offered<99.5%":       false,
		"rate<100":            false,
		"rate<100000":         true,
		"goodput < 100":       false,
		"p99.9>1h":            true, // too few samples to say
	}
	for text := range want {
		threshold, err := load.ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		thresholds = append(thresholds, threshold)
	}
	r := mustRun(t, s, load.Options{Thresholds: thresholds})
	if len(r.Thresholds) != len(want) {
		t.Fatalf("%d thresholds were judged of %d", len(r.Thresholds), len(want))
	}
	judged := map[string]load.ThresholdResult{}
	for _, got := range r.Thresholds {
		judged[got.Threshold] = got
	}
	for text, missed := range want {
		got, ok := judged[strings.ReplaceAll(text, " ", "")]
		if !ok || got.Missed != missed || got.Value == nil && text != "p99.9>1h" {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if got := judged["p99.9>1h"]; got.Value != nil || !strings.Contains(got.String(), "it needs 1000") {
		t.Errorf("too few samples: %v", got)
	}
	if got, want := *judged["failed>0"].Value, float64(r.Totals.Failed); got != want {
		t.Errorf("failed is %g, not %g", got, want)
	}
	if got, want := *judged["p99>1h"].Value, *r.Totals.LatencyMs.P99; got != want {
		t.Errorf("p99 is %g, not %g", got, want)
	}
}

func TestBadThresholdsAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                  "compares nothing",
		"p99":               "compares nothing",
		"p99=50ms":          "compares nothing",
		"p99>":              "no time",
		"p99>50":            "50ms",
		"p99>-50ms":         "no time",
		"p99>1%":            "no time",
		"p0>1ms":            "between 0 and 100",
		"p100>1ms":          "between 0 and 100",
		"pNaN>1ms":          "between 0 and 100",
		"p>1ms":             "there is no",
		"q99>1ms":           "there is no",
		"wait.p99>1ms":      "there is no",
		"service.ok>1":      "there is no",
		"ok<200%":           "0% to 100%",
		"ok<NaN%":           "0% to 100%",
		"failed>x":          "no number",
		"failed>NaN":        "no number",
		"failed>-1":         "no number",
		"failed>Inf":        "no number",
		"error_rate>5":      "0.1%",
		"rate<50%":          "per second",
		"p99>50ms,ok<99.9%": "no time",
		"p99>>50ms":         "no time",
	} {
		if _, err := load.ParseThreshold(text); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "say for example") {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 123: "123", 1234: "1,234", 123456: "123,456", 1234567: "1,234,567", -5: "-5", -1234: "-1,234", -123456: "-123,456"} {
		if got := load.Grouped(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
	for ms, want := range map[float64]string{0.0424: "0.042", 1.234: "1.23", 45.67: "45.7", 1234.5: "1234", 0: "0.000"} {
		if got := load.Millis(ms); got != want {
			t.Errorf("%v is %q", ms, got)
		}
	}
}
