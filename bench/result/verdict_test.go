package result

import (
	"strings"
	"testing"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// sound is a run with nothing to say against it.
func sound() Facts {
	delay := 0.5
	return Facts{
		Load: Load{
			Scheduled: 1000, Sent: 1000, SendDelayMs: Latency{P99: &delay}, ScheduleKSP: 0.5, SentKS: 0.01,
			GCPauseMaxMs: 1, GeneratorShare: 0.3,
		},
		Faults:         []Fault{{Name: "link-blackhole", Target: "apiserver-a/etcd/endpoints", Proof: 12}},
		FaultsExpected: true, FaultJourneys: 5000,
		Audit: Audit{Ran: true, Passed: true},
	}
}

// TestVerdictEachReasonFires breaks one thing at a time: each gives its own
// reason, and no other.
func TestVerdictEachReasonFires(t *testing.T) {
	if got := Verdict(sound(), SharedCores); len(got) != 0 {
		t.Fatalf("a sound run is INVALID: %v", got)
	}
	late := 6.0
	cases := []struct {
		reason string
		spoil  func(*Facts)
	}{
		{"stopped before the run was complete", func(f *Facts) { f.Partial = true }},
		{"step failed: go-dark", func(f *Facts) { f.FailedSteps = []string{"go-dark: no"} }},
		{"offered 99.40 %", func(f *Facts) { f.Load.Sent = 994 }},
		{"3 journeys are not accounted for: 1000 were scheduled", func(f *Facts) { f.Load.Unaccounted = 3 }},
		{"send delay p99 6.0 ms", func(f *Facts) { f.Load.SendDelayMs.P99 = &late }},
		{"used 81 % of the processor time it could get", func(f *Facts) { f.Load.GeneratorShare = 0.81 }},
		{"garbage collection pause of 7.0 ms", func(f *Facts) { f.Load.GCPauseMaxMs = 7 }},
		{"inter-arrival test rejects", func(f *Facts) { f.Load.ScheduleKSP = 0.0001 }},
		{"sent times stray", func(f *Facts) { f.Load.SentKS = 0.06 }},
		{"baseline is not stationary: drifts", func(f *Facts) { f.Unsteady = "drifts" }},
		{"left no proof", func(f *Facts) { f.Faults[0].Proof = 0 }},
		{"injects faults, and none was recorded", func(f *Facts) { f.Faults = nil }},
		{"only 499 journeys", func(f *Facts) { f.FaultJourneys = 499 }},
		{"no audit was made", func(f *Facts) { f.Audit = Audit{} }},
		{"the audit failed", func(f *Facts) { f.Audit.Passed = false }},
		{"something waited for a processor in 60 % of the time, more than 50 %; other processes used 11 % of the machine, chiefly make", func(f *Facts) {
			f.Load.PressureKnown, f.Load.PressureShare = true, 0.6
			f.Load.OthersKnown, f.Load.OthersShare, f.Load.OthersChiefly = true, 0.11, "make"
		}},
		{"went to something else", func(f *Facts) { f.Steal = 0.2 }},
	}
	for _, c := range cases {
		facts := sound()
		c.spoil(&facts)
		if got := Verdict(facts, SharedCores); len(got) != 1 || !strings.Contains(got[0], c.reason) {
			t.Errorf("want one reason with %q, got %q", c.reason, got)
		}
	}
	pressed := sound()
	pressed.Load.PressureKnown, pressed.Load.PressureShare = true, 0.9
	if got := Verdict(pressed, SharedCores); len(got) != 0 {
		t.Errorf("pressure that the measured made by itself: %q", got)
	}
}

func TestUnsteady(t *testing.T) {
	spans := []Span{{Name: "setup", ToS: 10}, {Name: "baseline", FromS: 10, ToS: 20}}
	quiet := steady(customers.CardTap, 10, 20, 200, always(loadgen.OK))
	if why := Unsteady(quiet, spans, "baseline"); why != "" {
		t.Errorf("a quiet baseline: %s", why)
	}
	drifting := steady(customers.CardTap, 10, 20, 200, always(loadgen.OK))
	for i := range drifting {
		drifting[i].DoneNs += int64(i) * 100_000
	}
	if why := Unsteady(drifting, spans, "baseline"); !strings.Contains(why, "median response went from") {
		t.Errorf("a baseline that slows down: %q", why)
	}
	if why := Unsteady(quiet, spans[:1], "baseline"); why != "it was not reached" {
		t.Errorf("no baseline: %q", why)
	}
}

func TestFaultJourneys(t *testing.T) {
	records := steady(customers.CardTap, 0, 30, 10, always(loadgen.OK))
	faults := []Fault{{InjectedS: 5, ClearedS: 10}, {InjectedS: 25}}
	if got := FaultJourneys(records, faults); got != 100 {
		t.Errorf("%d journeys under faults, want 100", got)
	}
}
