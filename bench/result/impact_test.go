package result

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// steady makes n records a second of a journey from one time to another, evenly
// spaced, each decided at once; outcome says how by its number.
func steady(j loadgen.Journey, fromS, toS float64, perS int, outcome func(i int) loadgen.Outcome) []loadgen.Record {
	var records []loadgen.Record
	n := int(math.Round((toS - fromS) * float64(perS)))
	for i := range n {
		at := int64((fromS + (float64(i)+0.5)/float64(perS)) * 1e9)
		records = append(records, loadgen.Record{
			Load: loadgen.LoadMain, Seq: i, Journey: j, Customer: i, IntendedNs: at, SentNs: at, DoneNs: at,
			Decision: loadgen.Decision{Outcome: outcome(i)},
		})
	}
	return records
}

func always(o loadgen.Outcome) func(int) loadgen.Outcome {
	return func(int) loadgen.Outcome { return o }
}

// every gives one outcome to each n-th, and ok to the others.
func every(n int, o loadgen.Outcome) func(int) loadgen.Outcome {
	return func(i int) loadgen.Outcome {
		if i%n == 0 {
			return o
		}
		return loadgen.OK
	}
}

func inOrder(parts ...[]loadgen.Record) []loadgen.Record {
	records := slices.Concat(parts...)
	slices.SortStableFunc(records, func(a, b loadgen.Record) int { return int(a.DoneNs - b.DoneNs) })
	return records
}

// threePhases are before, during and after, of ten seconds each.
var threePhases = []Span{
	{Name: "before", FromS: 0, ToS: 10}, {Name: "during", FromS: 10, ToS: 20}, {Name: "after", FromS: 20, ToS: 30},
}

func measure(records []loadgen.Record) Impact {
	return MeasureImpact(Run{Records: records, Spans: threePhases, Seconds: Seconds(records, 30), Pace: 60, EndS: 30})
}

func TestImpactOutages(t *testing.T) {
	const tap, app = customers.CardTap, customers.AppRefresh
	cases := []struct {
		name                                             string
		tapDuring, appDuring                             func(int) loadgen.Outcome
		fullS, partialS, fullUnanswered, partialUnanswer float64
	}{
		{"nothing happens", always(loadgen.OK), always(loadgen.Declined), 0, 0, 0, 0},
		{"everything fails", always(loadgen.Failed), always(loadgen.Unknown), 10, 0, 10, 0},
		{"one journey fails", always(loadgen.Failed), always(loadgen.OK), 0, 10, 0, 10},
		{"stand-in answers", always(loadgen.Degraded), always(loadgen.Degraded), 10, 0, 0, 0},
		{"stand-in answers taps only", always(loadgen.Degraded), always(loadgen.Failed), 10, 0, 0, 10},
		{"two in a hundred fail", every(50, loadgen.Failed), always(loadgen.OK), 0, 10, 0, 10},
		{"one in two hundred fails", every(200, loadgen.Failed), always(loadgen.OK), 0, 0, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			im := measure(inOrder(
				steady(tap, 0, 10, 200, always(loadgen.OK)), steady(app, 0, 10, 200, always(loadgen.OK)),
				steady(tap, 10, 20, 200, c.tapDuring), steady(app, 10, 20, 200, c.appDuring),
				steady(tap, 20, 30, 200, always(loadgen.OK)), steady(app, 20, 30, 200, always(loadgen.OK)),
			))
			got := [4]float64{im.FullOutageS, im.PartialOutageS, im.FullUnansweredS, im.PartialUnansweredS}
			want := [4]float64{c.fullS, c.partialS, c.fullUnanswered, c.partialUnanswer}
			if got != want {
				t.Errorf("full, partial, unanswered full, partial: %v, want %v", got, want)
			}
			if im.FullOutagePacedMin != c.fullS {
				t.Errorf("%v paced minutes at pace 60, want %v", im.FullOutagePacedMin, c.fullS)
			}
			if c.fullS+c.partialS > 0 && (im.RecoverS == nil || *im.RecoverS != 10 || !im.Recovered) {
				t.Errorf("recovered %v after %v, want after 10 s", im.Recovered, im.RecoverS)
			}
		})
	}
}

// TestWindowsGrow has a journey so rare that a single second says nothing.
func TestWindowsGrow(t *testing.T) {
	span := Span{FromS: 0, ToS: 25}
	windows := windowsOf(steady(customers.CopsLookup, 0, 25, 10, always(loadgen.OK)), span)
	if len(windows) != 2 || windows[0].ToS != 10 || windows[1].ToS != 25 || windows[1].Counts.Offered != 150 {
		t.Errorf("got %+v, want 0 to 10 s, and the rest as one, since its last 5 s hold too few", windows)
	}
	whole := windowsOf(steady(customers.CopsLookup, 0, 5, 10, always(loadgen.OK)), Span{FromS: 0, ToS: 5})
	if len(whole) != 1 || whole[0].ToS != 5 || whole[0].Counts.Offered != 50 {
		t.Errorf("got %+v, want the whole phase as one window", whole)
	}
}

func TestImpactTimes(t *testing.T) {
	im := measure(inOrder(
		steady(customers.CardTap, 0, 10, 200, always(loadgen.OK)),
		steady(customers.CardTap, 10, 14, 200, always(loadgen.Failed)),
		steady(customers.CardTap, 14, 20, 200, always(loadgen.Degraded)),
		steady(customers.CardTap, 20, 30, 200, always(loadgen.OK)),
	))
	if *im.ImpactFromS != 10 || *im.DetectS != 1 || *im.MitigateS != 4 || *im.RecoverS != 10 {
		t.Errorf("from %v, detected after %v, mitigated after %v, recovered after %v; want 10, 1, 4, 10",
			*im.ImpactFromS, *im.DetectS, *im.MitigateS, *im.RecoverS)
	}
	never := measure(inOrder(
		steady(customers.CardTap, 0, 10, 200, always(loadgen.OK)), steady(customers.CardTap, 10, 30, 200, always(loadgen.Failed)),
	))
	if never.RecoverS != nil || never.MitigateS != nil || never.Recovered {
		t.Errorf("an outage that never ends: mitigated %v, recovered %v", never.MitigateS, never.RecoverS)
	}
	none := measure(steady(customers.CardTap, 0, 30, 200, always(loadgen.OK)))
	if none.ImpactFromS != nil || none.DetectS != nil || none.RecoverS != nil || !none.Recovered {
		t.Errorf("no outage at all: %+v", none)
	}
}

func TestCustomersLost(t *testing.T) {
	at := func(customer int, s float64, o loadgen.Outcome) loadgen.Record {
		return loadgen.Record{Customer: customer, DoneNs: int64(s * 1e9), Decision: loadgen.Decision{Outcome: o}}
	}
	records := []loadgen.Record{
		at(1, 1, loadgen.Failed), at(2, 2, loadgen.OK), at(1, 3, loadgen.Unknown), at(3, 4, loadgen.Unknown),
		at(1, 11, loadgen.Degraded), at(1, 12, loadgen.OK), at(2, 15, loadgen.Declined),
	}
	seconds, met := CustomersLost(records, 20)
	if seconds != 10+16 || met != 2 {
		t.Errorf("%v customer-seconds of %d customers, want 26 of 2", seconds, met)
	}
}

// TestImpactProperties holds for any load: no more outage than there was run,
// no customer lost for longer than it, payments counted once.
func TestImpactProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		outcomes := rapid.SliceOfN(rapid.SampledFrom(Outcomes), 1, 400).Draw(t, "outcomes")
		people := rapid.IntRange(1, 50).Draw(t, "customers")
		records := make([]loadgen.Record, len(outcomes))
		for i, o := range outcomes {
			at := rapid.Int64Range(0, 30e9-1).Draw(t, "at")
			records[i] = loadgen.Record{
				Journey: loadgen.Journey(i % customers.JourneyCount), Customer: i % people,
				IntendedNs: at, SentNs: at, DoneNs: at, Decision: loadgen.Decision{Outcome: o},
			}
		}
		records = inOrder(records)
		im := measure(records)
		if sum := im.FullOutageS + im.PartialOutageS; sum < 0 || sum > 30+1e-9 {
			t.Errorf("%v s of outage in 30 s", sum)
		}
		if im.FullUnansweredS > im.FullOutageS+1e-9 {
			t.Errorf("unanswered for %v s, out for %v s: what is answered by stand-in counts as worse", im.FullUnansweredS, im.FullOutageS)
		}
		if most := float64(people) * 30 / 60; im.CustomerMinutesLost > most+1e-9 {
			t.Errorf("%v customer-minutes lost of %v", im.CustomerMinutesLost, most)
		}
		var offered int64
		for _, phase := range Phases(records, threePhases) {
			for _, journey := range phase.Journeys {
				offered += journey.Offered
				if journey.OK+journey.Degraded+journey.Declined+journey.Failed+journey.Unknown != journey.Offered {
					t.Errorf("phase %s: outcomes do not add up: %+v", phase.Name, journey)
				}
			}
		}
		if offered != int64(len(records)) {
			t.Errorf("phases hold %d journeys of %d", offered, len(records))
		}
	})
}

// TestPhaseAttribution: a journey begun in one phase and decided in the next
// counts there, and its latency where it began.
func TestPhaseAttribution(t *testing.T) {
	records := []loadgen.Record{{
		Journey: customers.CardTap, IntendedNs: 9e9, SentNs: 9e9, DoneNs: 11e9, Decision: loadgen.Decision{Outcome: loadgen.Failed},
	}}
	name := customers.Journeys[customers.CardTap].Name
	phases := Phases(records, threePhases)
	if before := phases[0].Journeys[name]; before.Offered != 0 || before.LatencyMs.Max == nil || *before.LatencyMs.Max != 2000 {
		t.Errorf("phase of the intended time: %+v", before)
	}
	if during := phases[1].Journeys[name]; during.Failed != 1 || during.LatencyMs.Max != nil {
		t.Errorf("phase of the decision: %+v", during)
	}
	seconds := Seconds(records, 30)
	if seconds[11].Journeys[name].Failed != 1 || seconds[9].Journeys[name].LatencyMs.Max == nil {
		t.Error("seconds do not follow the same rule")
	}
	// What lies outside all phases belongs to the nearest.
	outside := Phases([]loadgen.Record{
		{DoneNs: -1e9, IntendedNs: -1e9, Decision: loadgen.Decision{Outcome: loadgen.OK}},
		{DoneNs: 99e9, IntendedNs: 99e9, Decision: loadgen.Decision{Outcome: loadgen.OK}},
	}, threePhases)
	if outside[0].Journeys[name].OK != 1 || outside[2].Journeys[name].OK != 1 {
		t.Error("journeys outside all phases were lost")
	}
}

func TestAmplificationSurvivesRestarts(t *testing.T) {
	seconds := []Second{
		{Routers: []RouterPoint{{Node: "a1", Requests: 100, Attempts: 110}, {Node: "b1", Requests: 100, Attempts: 100}}},
		{Routers: []RouterPoint{{Node: "a1", Requests: 10, Attempts: 20}, {Node: "b1", Requests: 200, Attempts: 200}}},
	}
	if got, want := amplification(seconds), 330.0/310; math.Abs(got-want) > 1e-9 {
		t.Errorf("amplification %v, want %v", got, want)
	}
	if got := amplification(nil); got != 0 {
		t.Errorf("no requests: %v", got)
	}
}

func TestAlertNeedsBothWindows(t *testing.T) {
	// 1 % fails in every second of an hour: under 14.4 times the budget.
	slow := Seconds(steady(customers.CardTap, 0, 60, 200, every(100, loadgen.Failed)), 60)
	if at, ok := FirstAlert(slow, 60, 0); ok {
		t.Errorf("fires at %v on a slow burn", at)
	}
	if _, ok := FirstAlert(Seconds(steady(customers.CardTap, 0, 60, 200, every(20, loadgen.Failed)), 60), 60, 0); !ok {
		t.Error("does not fire on 5 %")
	}
}
