package result

import (
	"strings"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// Phases of the scenarios monzo-2017…, as far as the tables below name them.
const (
	phaseSetup       = "setup"
	phaseBaseline    = "baseline"
	phaseDark        = "dark_registry"
	phaseDeploy      = "deploy"
	phaseRollback    = "rollback"
	phaseRestartOne  = "restart_one"
	phaseRestartAll  = "restart_all"
	phaseControl     = "control_plane_restart"
	phaseTotalOutage = "total_outage"
	phaseRecovered   = "recovered"
)

// currentAccount are the journeys that need the ledger.
var currentAccount = []loadgen.Journey{
	customers.CardTap, customers.TransferOut, customers.TransferIn, customers.AppRefresh, customers.CopsLookup,
}

var (
	taps    = []loadgen.Journey{customers.CardTap}
	prepaid = []loadgen.Journey{customers.PrepaidTap}
)

// expect2017 is the column "what must be seen" of the incident's timeline, as
// far as journeys show it.
var expect2017 = []Expect{
	{Phase: phaseSetup, Measure: ShareLost, Low: 0, High: 0},
	{Phase: phaseBaseline, Measure: ShareGood, Low: 0.995, High: 1},
	{Phase: phaseDark, Measure: ShareLost, Low: 0, High: 0},
	// Instances go one by one and calls in flight end later, so that of what is
	// decided in the phase itself only a part has fallen.
	{Phase: phaseDeploy, Journeys: currentAccount, Measure: ShareGood, Low: 0, High: 0.95},
	{Phase: phaseDeploy, Journeys: prepaid, Measure: ShareGood, Low: 0.99, High: 1},
	{Phase: phaseRollback, Journeys: currentAccount, Measure: ShareGood, Low: 0, High: 0.10},
	{Phase: phaseRollback, Journeys: prepaid, Measure: ShareGood, Low: 0.99, High: 1},
	{Phase: phaseRestartOne, Entry: AtC1, Measure: ShareGood, Low: 0, High: 0.05},
	{Phase: phaseRestartOne, Journeys: currentAccount, Entry: NotAtC1, Measure: ShareGood, Low: 0, High: 0.10},
	{Phase: phaseRestartOne, Journeys: prepaid, Entry: NotAtC1, Measure: ShareGood, Low: 0.99, High: 1},
	{Phase: phaseRestartAll, Journeys: taps, Measure: ShareDegraded, Low: 0.55, High: 0.75, ByEntry: true},
	{Phase: phaseControl, Journeys: taps, Measure: ShareDegraded, Below: phaseRestartAll, ByEntry: true},
	{Phase: phaseTotalOutage, Measure: ShareGood, Low: 0, High: 0.05},
	{Phase: phaseTotalOutage, Journeys: taps, Measure: ShareAnswered, Low: 0, High: 0.05},
	{Phase: phaseRecovered, Measure: ShareGood, Low: 0.995, High: 1},
}

// expectIndependent replaces what routed stand-in would do to card taps by what
// a stand-in at a fixed address must do: answer them throughout.
func expectIndependent() []Expect {
	var table []Expect
	for _, e := range expect2017 {
		onlyRouted := e.Measure == ShareDegraded || e.Phase == phaseTotalOutage && e.Measure == ShareAnswered
		if !onlyRouted {
			table = append(table, e)
		}
	}
	for _, phase := range []string{phaseDeploy, phaseRollback, phaseRestartOne, phaseRestartAll, phaseControl, phaseTotalOutage} {
		table = append(table, Expect{Phase: phase, Journeys: taps, Measure: ShareAnswered, Low: 0.95, High: 1})
	}
	return table
}

// expectUnharmed is what the arm guarded must show: nobody notices.
func expectUnharmed(phases []string) []Expect {
	var table []Expect
	for _, phase := range phases {
		table = append(table,
			Expect{Phase: phase, Measure: ShareLost, Low: 0, High: 0},
			Expect{Phase: phase, Measure: ShareGood, Low: 0.99, High: 1})
	}
	return table
}

// ExpectationsFor is the table that a run of an arm must show, or nil where
// nothing was said beforehand: other scenarios, other arms, runs with steps
// left out.
func ExpectationsFor(scenario, arm, fallback string, phases, without []string) []Expect {
	if !strings.HasPrefix(scenario, "monzo-2017") || len(without) > 0 {
		return nil
	}
	switch {
	case arm == "linkerd-2017" && fallback == "routed":
		return expect2017
	case arm == "linkerd-2017" && fallback == "independent":
		return expectIndependent()
	case arm == "guarded":
		return expectUnharmed(phases)
	}
	return nil
}
