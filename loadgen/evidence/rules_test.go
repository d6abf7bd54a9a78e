package evidence_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/pacer"
)

// sound is a load with nothing to say against it.
func sound() evidence.LoadFacts {
	delay := 0.5
	return evidence.LoadFacts{
		Scheduled: 1000, Sent: 1000, SendDelayP99Ms: &delay, GeneratorShare: 0.3, GCPauseMaxMs: 1,
		ScheduleTested: true, ScheduleKSP: 0.5, SentKS: 0.01, SteadyTested: true,
		Pressure: evidence.Pressure{PressureKnown: true, PressureShare: 0.2, OthersKnown: true, OthersShare: 0.05},
	}
}

// TestJudgeEachReasonFires spoils one thing at a time: each gives its own reason,
// and no other.
func TestJudgeEachReasonFires(t *testing.T) {
	for name, rules := range map[string]evidence.LoadRules{"shared": evidence.SharedCores, "own": evidence.OwnCores} {
		if got := rules.Judge(sound()); len(got) != 0 {
			t.Fatalf("%s: a sound load is INVALID: %q", name, got)
		}
		if got := rules.Notes(sound()); len(got) != 0 {
			t.Fatalf("%s: of a load that was tested in all: %q", name, got)
		}
	}
	late, later := 1.5, 6.0
	cases := []struct {
		reason string
		shared bool // also where cores are shared
		spoil  func(*evidence.LoadFacts)
	}{
		{"stopped before the run was complete", true, func(f *evidence.LoadFacts) { f.Partial = true }},
		{"offered 99.40 % of the schedule, less than 99.5 %: 4 kept back by the cap on journeys in flight, 2 without a connection", true, func(f *evidence.LoadFacts) {
			f.Sent, f.Dropped, f.Unsent = 994, 4, 2
		}},
		{"offered 0.00 %", true, func(f *evidence.LoadFacts) { f.Scheduled, f.Sent = 0, 0 }},
		{"3 journeys are not accounted for: 1000 were scheduled", true, func(f *evidence.LoadFacts) { f.Unaccounted = 3 }},
		{"send delay p99 1.5 ms, more than 1 ms", false, func(f *evidence.LoadFacts) { f.SendDelayP99Ms = &late }},
		{"send delay p99 6.0 ms", true, func(f *evidence.LoadFacts) { f.SendDelayP99Ms = &later }},
		{"used 81 % of the processor time it could get", true, func(f *evidence.LoadFacts) { f.GeneratorShare = 0.81 }},
		{"garbage collection pause of 7.0 ms", true, func(f *evidence.LoadFacts) { f.GCPauseMaxMs = 7 }},
		{"inter-arrival test rejects", true, func(f *evidence.LoadFacts) { f.ScheduleKSP = 0.0001 }},
		{"sent times stray from the schedule (D = 0.060", true, func(f *evidence.LoadFacts) { f.SentKS = 0.06 }},
		{"no steady state: drifts", true, func(f *evidence.LoadFacts) { f.Unsteady = "drifts" }},
		{"20 % of the machine's time went to something else", true, func(f *evidence.LoadFacts) { f.Steal = 0.2 }},
		{"something waited for a processor in 60 % of the time, more than 50 %; other processes used 11 %", true, func(f *evidence.LoadFacts) {
			f.PressureShare, f.OthersShare = 0.6, 0.11
		}},
		{"something waited for a processor in 60 % of the time", false, func(f *evidence.LoadFacts) { f.PressureShare = 0.6 }},
		{"something waited for a processor in 60 % of the time, more than 50 %", false, func(f *evidence.LoadFacts) {
			f.PressureShare, f.OthersKnown = 0.6, false
		}},
	}
	for _, c := range cases {
		facts := sound()
		c.spoil(&facts)
		if got := evidence.OwnCores.Judge(facts); len(got) != 1 || !strings.Contains(got[0], c.reason) {
			t.Errorf("own cores: want one reason with %q, got %q", c.reason, got)
		}
		switch got := evidence.SharedCores.Judge(facts); {
		case !c.shared && len(got) != 0:
			t.Errorf("shared cores: want no reason with %q, got %q", c.reason, got)
		case c.shared && (len(got) != 1 || !strings.Contains(got[0], c.reason)):
			t.Errorf("shared cores: want one reason with %q, got %q", c.reason, got)
		}
	}
}

// TestWhatWasNotTestedIsNoReason but is said.
func TestWhatWasNotTestedIsNoReason(t *testing.T) {
	for note, spoil := range map[string]func(*evidence.LoadFacts){
		"the schedule was not tested": func(f *evidence.LoadFacts) { f.ScheduleTested, f.ScheduleKSP = false, 0 },
		"hide every wait":             func(f *evidence.LoadFacts) { f.Closed, f.ScheduleTested = true, false },
		"too few requests for a p99":  func(f *evidence.LoadFacts) { f.SendDelayP99Ms = nil },
		// One of nine was late.
		"fewer than 100 requests":     func(f *evidence.LoadFacts) { f.Scheduled, f.Sent, f.SentKS = 9, 9, 0.11 },
		"fewer than 6 windows":        func(f *evidence.LoadFacts) { f.SteadyTested = false },
		"/proc/pressure/cpu tells it": func(f *evidence.LoadFacts) { f.PressureKnown, f.PressureShare = false, 0.9 },
		"who took it is not known":    func(f *evidence.LoadFacts) { f.PressureShare, f.OthersKnown = 0.9, false },
	} {
		facts := sound()
		spoil(&facts)
		if got := evidence.SharedCores.Judge(facts); len(got) != 0 {
			t.Errorf("%s: got %q", note, got)
		}
		if got := evidence.SharedCores.Notes(facts); len(got) != 1 || !strings.Contains(got[0], note) {
			t.Errorf("want one note with %q, got %q", note, got)
		}
	}
}

// TestGatherLoad of summaries as a runner leaves them.
func TestGatherLoad(t *testing.T) {
	schedule := drawn(t, 1, pacer.Poisson{PerS: 100}, time.Second, nil)
	n := len(schedule.Arrivals)
	onTime := func(alter func(s *loadgen.Summary)) loadgen.Summary {
		s := loadgen.Summary{Scheduled: n, Sent: n, SentNs: evidence.Intended(schedule)}
		alter(&s)
		return s
	}
	for name, c := range map[string]struct {
		summary     loadgen.Summary
		unaccounted int64
		closed      bool
	}{
		"all sent":       {onTime(func(*loadgen.Summary) {}), 0, false},
		"one is missing": {onTime(func(s *loadgen.Summary) { s.Sent-- }), 1, false},
		"one too many":   {onTime(func(s *loadgen.Summary) { s.Dropped++ }), 1, false},
		"not all sent":   {onTime(func(s *loadgen.Summary) { s.Sent, s.Dropped, s.Late, s.Unsent = n-6, 1, 2, 3 }), 0, false},
		"stopped with one due that had not begun": {onTime(func(s *loadgen.Summary) {
			s.Interrupted = true
			s.Sent--
		}), 0, false},
		"stopped, and one too many": {onTime(func(s *loadgen.Summary) {
			s.Interrupted = true
			s.Sent++
		}), 1, false},
		"a closed loop": {loadgen.Summary{Scheduled: 7, Sent: 7}, 0, true},
	} {
		f := evidence.GatherLoad(schedule, pacer.Poisson{PerS: 100}, c.summary, evidence.Self{}, nil)
		if f.Unaccounted != c.unaccounted || f.Closed != c.closed || f.SentKS != 0 || f.ScheduleTested == c.closed {
			t.Errorf("%s: %+v", name, f)
		}
	}
	f := evidence.GatherLoad(schedule, nil, onTime(func(*loadgen.Summary) {}), evidence.Self{}, nil)
	f.Account(int64(n))
	if f.Unaccounted != 0 || f.ScheduleTested || f.ScheduleKSP != 1 {
		t.Errorf("without a pacer: %+v", f)
	}
	for _, seen := range []int64{int64(n) - 2, int64(n) + 2} {
		f.Unaccounted = 0
		f.Account(seen)
		if f.Unaccounted != 2 {
			t.Errorf("%d records of %d: %d unaccounted for", seen, n, f.Unaccounted)
		}
	}
}

func TestSteady(t *testing.T) {
	rising := []float64{1, 3, 5, 7, 9, 11, 13}
	for name, c := range map[string]struct {
		pacer            loadgen.Pacer
		p50Ms            []float64
		tested, unsteady bool
	}{
		"still":       {pacer.Poisson{PerS: 1}, []float64{1, 1, 1.1, 1, 0.9, 1}, true, false},
		"rising":      {pacer.Poisson{PerS: 1}, rising, true, true},
		"constant":    {pacer.Constant{PerS: 1}, rising, true, true},
		"too short":   {pacer.Poisson{PerS: 1}, rising[:5], false, false},
		"a ramp":      {pacer.Ramp{ToPerS: 1, Over: time.Second}, rising, false, false},
		"no pacer":    {nil, rising, false, false},
		"a long time": {pacer.Poisson{PerS: 1}, make([]float64, 100_000), true, false},
	} {
		var f evidence.LoadFacts
		f.TestSteady(c.pacer, c.p50Ms)
		if f.SteadyTested != c.tested || (f.Unsteady != "") != c.unsteady {
			t.Errorf("%s: %v, %q", name, f.SteadyTested, f.Unsteady)
		}
	}
}

// TestMergeTakesTheWorst: what spoils one worker spoils all, for each fact that a
// reason is given on. The facts travel as JSON.
func TestMergeTakesTheWorst(t *testing.T) {
	if got := evidence.Merge(sound(), sound()); got.Scheduled != 2000 || got.Sent != 2000 || len(evidence.SharedCores.Judge(got)) != 0 {
		t.Errorf("two sound workers: %+v", got)
	}
	late := 6.0
	for reason, spoil := range map[string]func(*evidence.LoadFacts){
		"stopped before":    func(f *evidence.LoadFacts) { f.Partial = true },
		"offered 98.50 %":   func(f *evidence.LoadFacts) { f.Sent, f.Dropped, f.Late, f.Unsent = 970, 10, 10, 10 },
		"not accounted for": func(f *evidence.LoadFacts) { f.Unaccounted = 1 },
		"send delay p99":    func(f *evidence.LoadFacts) { f.SendDelayP99Ms = &late },
		"it could get":      func(f *evidence.LoadFacts) { f.GeneratorShare = 0.9 },
		"collection pause":  func(f *evidence.LoadFacts) { f.GCPauseMaxMs = 7 },
		"inter-arrival":     func(f *evidence.LoadFacts) { f.ScheduleKSP = 0 },
		"stray":             func(f *evidence.LoadFacts) { f.SentKS = 0.06 },
		"no steady state":   func(f *evidence.LoadFacts) { f.Unsteady = "drifts" },
		"something else":    func(f *evidence.LoadFacts) { f.Steal = 0.2 },
		"something waited":  func(f *evidence.LoadFacts) { f.PressureShare, f.OthersShare = 0.6, 0.2 },
	} {
		bad := sound()
		spoil(&bad)
		for _, workers := range [][]evidence.LoadFacts{{bad, sound()}, {sound(), bad}} {
			for i := range workers {
				workers[i] = travelled(t, workers[i])
			}
			got := evidence.SharedCores.Judge(evidence.Merge(workers...))
			if len(got) != 1 || !strings.Contains(got[0], reason) {
				t.Errorf("want one reason with %q, got %q", reason, got)
			}
		}
	}
}

func travelled(t *testing.T, f evidence.LoadFacts) (back evidence.LoadFacts) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, f) {
		t.Fatalf("%+v became %+v, %v", f, back, err)
	}
	return back
}
