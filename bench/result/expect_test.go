package result

import (
	"testing"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// spansOf lays phases out, ten seconds each.
func spansOf(names ...string) []Span {
	spans := make([]Span, len(names))
	for i, name := range names {
		spans[i] = Span{Name: name, FromS: float64(10 * i), ToS: float64(10 * (i + 1))}
	}
	return spans
}

func TestExpectationBounds(t *testing.T) {
	spans := spansOf("p")
	none := Expect{Phase: "p", Journeys: taps, Measure: ShareLost}
	most := Expect{Phase: "p", Journeys: taps, Measure: ShareGood, Low: 0.99, High: 1}
	band := Expect{Phase: "p", Journeys: taps, Measure: ShareDegraded, Low: 0.55, High: 0.75}
	cases := []struct {
		name    string
		row     Expect
		perS    int
		outcome func(int) loadgen.Outcome
		seen    bool
	}{
		{"none lost", none, 100, always(loadgen.Declined), true},
		{"one lost is not none", none, 1, every(10, loadgen.Unknown), false},
		{"most good", most, 100, every(200, loadgen.Failed), true},
		{"too few good", most, 100, every(50, loadgen.Failed), false},
		{"one of a few is forgiven", most, 2, every(20, loadgen.Failed), true},
		{"two of a few are not", most, 2, every(10, loadgen.Failed), false},
		{"in the band", band, 100, func(i int) loadgen.Outcome {
			if i%3 == 0 {
				return loadgen.Failed
			}
			return loadgen.Degraded
		}, true},
		{"above the band", band, 100, always(loadgen.Degraded), false},
		{"below the band", band, 100, every(2, loadgen.Degraded), false},
	}
	for _, c := range cases {
		got := CheckExpectations([]Expect{c.row}, steady(customers.CardTap, 0, 10, c.perS, c.outcome), spans)
		if len(got) != 1 || got[0].Seen != c.seen {
			t.Errorf("%s: %+v, want seen %v", c.name, got, c.seen)
		}
	}
}

// TestExpectationEntry tells customers by the edge they enter at.
func TestExpectationEntry(t *testing.T) {
	records := steady(customers.PrepaidTap, 0, 10, 90, func(i int) loadgen.Outcome {
		if i%3 == 2 {
			return loadgen.Failed
		}
		return loadgen.OK
	})
	rows := []Expect{
		{Phase: "p", Journeys: prepaid, Entry: AtC1, Measure: ShareGood, High: 0.05},
		{Phase: "p", Journeys: prepaid, Entry: NotAtC1, Measure: ShareGood, Low: 0.99, High: 1},
	}
	for _, got := range CheckExpectations(rows, records, spansOf("p")) {
		if !got.Seen || got.Offered == 900 {
			t.Errorf("%+v", got)
		}
	}
}

// TestExpectationByEntry: who enters at an edge that is lost, and whether it was
// decided in time, is chance in a small sample; what those feel who enter at each
// edge is not.
func TestExpectationByEntry(t *testing.T) {
	band := Expect{Phase: "p", Journeys: taps, Measure: ShareDegraded, Low: 0.55, High: 0.75, ByEntry: true}
	below := Expect{Phase: "p", Journeys: taps, Measure: ShareDegraded, Below: "before", ByEntry: true}
	// decided are so many taps of customers of each zone, so many of them degraded.
	decided := func(atS float64, of, degraded [3]int) []loadgen.Record {
		var records []loadgen.Record
		for zone, n := range of {
			records = append(records, steady(customers.CardTap, atS, atS+1, n, func(i int) loadgen.Outcome {
				if i < degraded[zone] {
					return loadgen.Degraded
				}
				return loadgen.Failed
			})...)
			for k := range n {
				records[len(records)-1-k].Customer = 3*k + zone
			}
		}
		return records
	}
	for _, c := range []struct {
		name         string
		of, degraded [3]int
		seen         bool
	}{
		{"few of the lost edge were decided", [3]int{16, 16, 6}, [3]int{16, 16, 0}, true},
		{"many were", [3]int{9, 10, 22}, [3]int{9, 10, 0}, true},
		{"none were", [3]int{16, 16, 0}, [3]int{16, 16, 0}, true},
		{"no edge is lost", [3]int{13, 12, 13}, [3]int{13, 12, 13}, false},
		{"two are", [3]int{38, 6, 6}, [3]int{38, 0, 0}, false},
		{"stand-in answers half", [3]int{20, 20, 20}, [3]int{10, 10, 0}, false},
	} {
		got := CheckExpectations([]Expect{band}, decided(0, c.of, c.degraded), spansOf("p"))
		if len(got) != 1 || got[0].Seen != c.seen {
			t.Errorf("%s: %+v, want seen %v", c.name, got, c.seen)
		}
	}
	for _, c := range []struct {
		name         string
		of, degraded [3]int
		seen         bool
	}{
		{"fewer at one edge", [3]int{90, 30, 10}, [3]int{90, 20, 0}, true},
		{"as many at every edge, others enter", [3]int{20, 20, 100}, [3]int{20, 20, 0}, false},
	} {
		records := append(decided(0, [3]int{40, 40, 40}, [3]int{40, 40, 0}), decided(10, c.of, c.degraded)...)
		got := CheckExpectations([]Expect{below}, records, spansOf("before", "p"))
		if len(got) != 1 || got[0].Seen != c.seen {
			t.Errorf("%s: %+v, want seen %v", c.name, got, c.seen)
		}
	}
}

// TestExpectationBelow: a share is held against that of an earlier phase, if
// both phases are large enough.
func TestExpectationBelow(t *testing.T) {
	spans := spansOf("before", "p")
	row := []Expect{{Phase: "p", Journeys: taps, Measure: ShareDegraded, Below: "before"}}
	share := func(n int) func(int) loadgen.Outcome { return every(n, loadgen.Degraded) }
	for _, c := range []struct {
		name               string
		before, during     int // one in so many is degraded
		beforeS, duringS   int // so many a second
		checked, fulfilled bool
	}{
		{"lower", 2, 4, 100, 100, true, true},
		{"the same", 2, 2, 100, 100, true, false},
		{"higher", 4, 2, 100, 100, true, false},
		{"too few before", 2, 4, 9, 100, false, false},
		{"too few in it", 2, 4, 100, 9, false, false},
	} {
		records := inOrder(
			steady(customers.CardTap, 0, 10, c.beforeS, share(c.before)), steady(customers.CardTap, 10, 20, c.duringS, share(c.during)),
			steady(customers.PrepaidTap, 0, 20, 100, always(loadgen.Degraded)),
		)
		got := CheckExpectations(row, records, spans)
		if len(got) > 1 || (len(got) == 1) != c.checked || c.checked && got[0].Seen != c.fulfilled {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := CheckExpectations(row, steady(customers.CardTap, 0, 10, 100, share(2)), spansOf("p")); len(got) != 0 {
		t.Errorf("without the earlier phase: %+v", got)
	}
}

// TestExpectationsOfAnOutageNotSeen: the table of the incident must not be
// satisfied by a bank to which nothing happened, nor by an empty run.
func TestExpectationsOfAnOutageNotSeen(t *testing.T) {
	phases := []string{
		phaseSetup, phaseBaseline, phaseDark, phaseDeploy, phaseRollback, phaseRestartOne,
		phaseRestartAll, phaseControl, phaseTotalOutage, "recovering", phaseRecovered,
	}
	spans := spansOf(phases...)
	var parts [][]loadgen.Record
	for j := range loadgen.Journey(customers.JourneyCount) {
		parts = append(parts, steady(j, 0, 110, 30, always(loadgen.OK)))
	}
	calm := inOrder(parts...)
	for _, fallback := range []string{"routed", "independent"} {
		table := ExpectationsFor("monzo-2017-short", "linkerd-2017", fallback, phases, nil)
		unseen := map[string]bool{}
		for _, e := range CheckExpectations(table, calm, spans) {
			if !e.Seen {
				unseen[e.Phase] = true
			}
		}
		upset := []string{phaseDeploy, phaseRollback, phaseRestartOne, phaseTotalOutage}
		if fallback == "routed" {
			upset = append(upset, phaseRestartAll, phaseControl)
		}
		for _, phase := range upset {
			if !unseen[phase] {
				t.Errorf("fallback %s: a calm bank satisfies phase %s", fallback, phase)
			}
		}
		if unseen[phaseBaseline] || unseen[phaseRecovered] || unseen[phaseSetup] {
			t.Errorf("fallback %s: a calm bank does not satisfy the calm phases: %v", fallback, unseen)
		}
	}
	for _, e := range CheckExpectations(ExpectationsFor("monzo-2017", "guarded", "independent", phases, nil), calm, spans) {
		if !e.Seen {
			t.Errorf("guarded, nothing happened: %+v", e)
		}
	}
	if got := ExpectationsFor("monzo-2017", "linkerd-2017", "routed", phases, []string{"pots"}); got != nil {
		t.Error("a run with steps left out is held against the whole incident")
	}
}

func TestCheckRouters(t *testing.T) {
	spans := spansOf("setup", phaseRestartOne, "brief")
	spans[2].ToS = spans[2].FromS + 0.5
	seconds := Seconds(nil, 21)
	for i := range seconds {
		seconds[i].Routers = []RouterPoint{{Node: "a1", State: RouterLive}, {Node: "c1", State: RouterLive}}
		if i >= 12 && i < 20 {
			seconds[i].Routers[1].State = RouterDown
		}
	}
	rows := []ExpectRouters{
		{Phase: phaseRestartOne, Nodes: []string{"c1"}, State: RouterDown},
		{Phase: phaseRestartOne, Nodes: []string{"a1", "c1"}, State: RouterDown},
		{Phase: "brief", Nodes: []string{"a1"}, State: RouterDown},
	}
	got := CheckRouters(rows, seconds, spans)
	if len(got) != 2 || !got[0].Seen || got[1].Seen || got[1].Observed != 1 {
		t.Errorf("%+v; want the first seen, the second not, the third left out", got)
	}
}

// TestExpectationsOfHungJourneys: a phase in which nothing of a kind is decided
// shows that nothing was good, if enough of it was begun, and nothing else.
func TestExpectationsOfHungJourneys(t *testing.T) {
	hanging := steady(customers.AppRefresh, 0, 10, 20, always(loadgen.Failed))
	for i := range hanging {
		hanging[i].DoneNs += 10e9
	}
	spans := spansOf(phaseTotalOutage, phaseRecovered)
	apps := []loadgen.Journey{customers.AppRefresh}
	for _, c := range []struct {
		row  Expect
		seen bool
	}{
		{Expect{Phase: phaseTotalOutage, Journeys: apps, Measure: ShareGood, High: 0.05}, true},
		{Expect{Phase: phaseTotalOutage, Journeys: apps, Measure: ShareGood, Low: 0.99, High: 1}, false},
		{Expect{Phase: phaseTotalOutage, Journeys: apps, Measure: ShareLost}, false},
	} {
		if got := CheckExpectations([]Expect{c.row}, hanging, spans); len(got) != 1 || got[0].Seen != c.seen {
			t.Errorf("%+v, want seen %v", got, c.seen)
		}
	}
	im := MeasureImpact(Run{Records: hanging, Spans: spans, Seconds: Seconds(hanging, 20), Pace: 60, EndS: 20})
	if im.FullOutageS != 20 {
		t.Errorf("%v s of outage, want 20: 10 in which all hang, 10 in which all fail", im.FullOutageS)
	}
}
