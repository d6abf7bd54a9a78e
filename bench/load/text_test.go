package load_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"breakbank/bench/golden"
	"breakbank/bench/load"
	"breakbank/bench/result"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/recording"
)

// finished is a result with something of everything in it.
func finished() *load.Result {
	ms := func(v float64) *float64 { return &v }
	r := &load.Result{
		Schema: 1, Kind: "load", RunID: "20171027-125500-load-Pay", Scenario: "bank.v1.Payments/Pay", Seed: 1,
		RatePerS: 1000, ScheduleSHA256: strings.Repeat("c0ffee", 10) + "cafe", Loop: load.LoopOpen, Pacer: "poisson:1000",
		DurationS: 30, WarmUpS: 5, Targets: []string{"10.0.0.1:443", "10.0.0.2:443"}, Connections: 4, Transport: "wire", TLS: true,
		InvalidReasons: []string{"send delay p99 6.1 ms, more than 5 ms"},
		Goodput:        load.Goodput{PerS: 912.4, Good: 27372, Share: 0.9124, ObjectiveMs: 50},
		LeftOut:        []string{"p99.9: 900 samples, it needs 1,000"},
		Notes:          []string{"pressure on the processors is not known"},
		Retries:        recording.Tally{Offered: 12, OK: 10, Failed: 2},
		Errors: []load.ErrorClass{
			{Code: "DEADLINE_EXCEEDED", Cause: "no answer by the deadline", Count: 1200},
			{Code: "UNAVAILABLE", Count: 300},
		},
		Thresholds: []load.ThresholdResult{
			{Threshold: "p99>50ms", Unit: "ms", Value: ms(61.44), Missed: true},
			{Threshold: "ok<90%", Unit: "share", Value: ms(0.94)},
			{Threshold: "p99.9>1s", Unit: "ms", Missed: true, Why: "900 samples are too few, it needs 1000"},
			{Threshold: "failed>5000", Unit: "count", Value: ms(1500)},
			{Threshold: "rate<10", Unit: "per_s", Value: ms(999.9)},
		},
		Workers: []load.Worker{
			{Name: "here-1", Sent: 29_990, GeneratorCPUS: 0.12},
			{Name: "here-2", Lost: "nothing was heard of it for 3s"},
		},
		Evidence:    evidence.LoadFacts{GeneratorShare: 0.021},
		Environment: result.Environment{Machine: "a machine", Cores: 2, OS: "linux", Arch: "amd64", Flags: []string{"load", "--rate", "1000"}},
		Curves: map[string][]load.CurvePoint{
			"response":   {{Percent: 10, Ms: 1}, {Percent: 50, Ms: 2.1}, {Percent: 90, Ms: 11}, {Percent: 99, Ms: 61.44}},
			"service":    {{Percent: 10, Ms: 0.9}, {Percent: 50, Ms: 2}, {Percent: 90, Ms: 10}, {Percent: 99, Ms: 60}},
			"send_delay": {{Percent: 10, Ms: 0.01}, {Percent: 50, Ms: 0.05}, {Percent: 90, Ms: 0.1}, {Percent: 99, Ms: 6.1}},
		},
		Phases: []load.Phase{
			{Name: load.PhaseWarmUp, FromS: -5, Journeys: map[string]load.Journey{"Pay": {Scheduled: 5000, Sent: 5000}}},
			{Name: load.PhaseMain, ToS: 30, Journeys: map[string]load.Journey{"Pay": {Scheduled: 30000, Sent: 29990}}},
		},
	}
	r.Totals.Totals = recording.Totals{
		Scheduled: 30000, Sent: 29990, Done: 29990, OK: 28200, Declined: 300, Failed: 1410, Unknown: 90, RatePerS: 999.7,
		LatencyMs:   recording.Quantiles{Samples: 900, P50: ms(2.1), P90: ms(11), P99: ms(61.44), Max: ms(10000)},
		ServiceMs:   recording.Quantiles{Samples: 900, P50: ms(2), P90: ms(10), P99: ms(60), Max: ms(9999)},
		SendDelayMs: recording.Quantiles{Samples: 900, P50: ms(0.05), P90: ms(0.1), P99: ms(6.1), Max: ms(20)},
	}
	r.Totals.GeneratorCPUS, r.Totals.GeneratorCPUUs = 0.24, 8.0
	for i := range 30 {
		s := load.Second{TS: i, Scheduled: 1000, Sent: 1000, OK: 940, Declined: 10, Failed: 47, Unknown: 3}
		if i != 7 {
			s.LatencyMs = load.Latency{P50: ms(2), P99: ms(60), Max: ms(1000)}
		}
		r.Seconds = append(r.Seconds, s)
	}
	return r
}

// TestTextGolden: what is printed of a load, whole.
func TestTextGolden(t *testing.T) {
	partial := finished()
	partial.Partial, partial.Valid, partial.InvalidReasons, partial.Workers = true, true, nil, nil
	partial.Loop, partial.ClosedAtOnce, partial.Illustrative, partial.IllustrativeReasons = load.LoopClosed, 8, true, []string{"a closed loop"}
	golden.Check(t, filepath.Join("testdata", "result.txt"), load.Text(finished())+"\n=====\n\n"+load.Text(partial))
}

// elsewhere is anything that a page would have to fetch.
var elsewhere = regexp.MustCompile(`(?i)(src|href)\s*=|url\(|@import|<script|<link|<iframe`)

func TestThePageStandsAlone(t *testing.T) {
	r := finished()
	r.Errors[1].Cause = "<b>said the server</b>"
	html, err := load.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	page := string(html)
	if found := elsewhere.FindString(page); found != "" {
		t.Errorf("the page asks for something else: %s", found)
	}
	for _, want := range []string{
		"<b>912/s</b> goodput", "INVALID", "2 of 5 thresholds missed", "send delay p99 6.1 ms", "61.4", "DEADLINE_EXCEEDED", "&lt;b&gt;said the server",
		"Response over time", "Throughput", "Percentile curve", "99 %", "here-2", "warm up: Pay", "breakbank load --rate 1000", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page has numbers that are none")
	}
	// A second without latency breaks each of the three lines.
	if n := strings.Count(page, `class="line p50" d="M`); n != 1 {
		t.Errorf("%d lines of p50", n)
	}
}

// TestThePageOfNothing: a load of which nothing was answered, or sent, still has
// a page.
func TestThePageOfNothing(t *testing.T) {
	if _, err := load.Render(&load.Result{}); err != nil {
		t.Error(err)
	}
	r := finished()
	for i := range r.Seconds {
		r.Seconds[i] = load.Second{TS: i, Scheduled: 10, Failed: 10}
	}
	r.Curves = map[string][]load.CurvePoint{}
	html, err := load.Render(r)
	if err != nil || strings.Contains(string(html), "NaN") || strings.Contains(string(html), "Response over time") {
		t.Errorf("%v", err)
	}
}

// TestALongLoadHasAShortPage: the picture of a day is no larger than that of a
// quarter of an hour.
func TestALongLoadHasAShortPage(t *testing.T) {
	r := finished()
	second := r.Seconds[0]
	r.Seconds = nil
	for i := range 24 * 3600 {
		second.TS = i
		r.Seconds = append(r.Seconds, second)
	}
	html, err := load.Render(r)
	if err != nil || len(html) > 256<<10 || !strings.Contains(string(html), "worst of 96 seconds") {
		t.Errorf("%d bytes, %v", len(html), err)
	}
}
