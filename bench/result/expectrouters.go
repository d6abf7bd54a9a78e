package result

import (
	"slices"
	"strings"
)

// ExpectRouters is a row of a table of what routers must be seen in: the state
// of each of these nodes at the end of a phase.
type ExpectRouters struct {
	Phase string
	Nodes []string
	State string
}

// CheckRouters holds the routers' states against a table. A phase that holds no
// whole second was too short to be looked at, and its rows are left out.
func CheckRouters(table []ExpectRouters, seconds []Second, spans []Span) []Expectation {
	checks := []Expectation{}
	for _, e := range table {
		i := slices.IndexFunc(spans, func(s Span) bool { return s.Name == e.Phase })
		if i < 0 {
			continue
		}
		last := -1
		for k, second := range seconds {
			if second.TS >= spans[i].FromS && second.TS+1 <= spans[i].ToS && len(second.Routers) > 0 {
				last = k
			}
		}
		if last < 0 {
			continue
		}
		n := 0
		for _, router := range seconds[last].Routers {
			if slices.Contains(e.Nodes, router.Node) && router.State == e.State {
				n++
			}
		}
		checks = append(checks, Expectation{
			Phase: e.Phase, Journey: SubjectRouters, Expected: strings.Join(e.Nodes, ", ") + " " + e.State + " at the end",
			Observed: float64(n), Offered: int64(len(e.Nodes)), Seen: n == len(e.Nodes),
		})
	}
	return checks
}

// routers2017 is what the incident's mechanisms must do to the routers.
var routers2017 = []ExpectRouters{
	{Phase: phaseBaseline, Nodes: allNodes, State: RouterLive},
	{Phase: phaseRestartOne, Nodes: []string{"c1"}, State: RouterDown},
	{Phase: phaseRestartAll, Nodes: []string{"c1", "c2"}, State: RouterDown},
	{Phase: phaseControl, Nodes: []string{"b2", "c1", "c2"}, State: RouterPoisoned},
	{Phase: phaseTotalOutage, Nodes: allNodes, State: RouterPoisoned},
	{Phase: phaseRecovered, Nodes: allNodes, State: RouterLive},
}

var allNodes = []string{"a1", "a2", "b1", "b2", "c1", "c2"}

// ExpectedRouters is the table of an arm, nil where nothing was said
// beforehand; see ExpectationsFor.
func ExpectedRouters(scenario, arm string, without []string) []ExpectRouters {
	if !strings.HasPrefix(scenario, "monzo-2017") || len(without) > 0 || arm != "linkerd-2017" {
		return nil
	}
	return routers2017
}

// LogExpectation says whether the cause could be read in a router's log when
// the operator looked, which the script has them do at the end of the outage.
func LogExpectation(linesFound int) Expectation {
	return Expectation{
		Phase: phaseTotalOutage, Journey: SubjectLogs, Expected: "the parse failure can be read",
		Observed: float64(linesFound), Offered: int64(linesFound), Seen: linesFound > 0,
	}
}
