package result

import (
	"slices"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// Journeys lists the names of the journeys of the default mix in the order
// shown: keys that Phase.Journeys and Second.Journeys always have. What else
// was offered comes in addition; see NamesIn.
func Journeys() []string {
	names := make([]string, 0, customers.JourneyCount)
	for j := range customers.Journeys {
		if isUsual(loadgen.Journey(j)) {
			names = append(names, customers.Journeys[j].Name)
		}
	}
	return names
}

// isUsual says whether a journey is in the default mix, and so in every result.
func isUsual(j loadgen.Journey) bool { return customers.Journeys[j].Weight > 0 }

// NamesIn lists the journeys that any of these has, in the order shown.
func NamesIn(all ...map[string]Journey) []string {
	names := make([]string, 0, customers.JourneyCount)
	for j := range customers.Journeys {
		name := customers.Journeys[j].Name
		if slices.ContainsFunc(all, func(of map[string]Journey) bool { _, ok := of[name]; return ok }) {
			names = append(names, name)
		}
	}
	return names
}

// JourneyNames lists the journeys of a result in the order shown.
func (r *Result) JourneyNames() []string {
	all := make([]map[string]Journey, len(r.Phases))
	for i := range r.Phases {
		all[i] = r.Phases[i].Journeys
	}
	if len(all) == 0 {
		return Journeys()
	}
	return NamesIn(all...)
}

// Outcomes lists the outcomes in the order in which they are stacked.
var Outcomes = []loadgen.Outcome{
	loadgen.OK, loadgen.Degraded, loadgen.Declined, loadgen.Failed, loadgen.Unknown,
}

// Add counts a journey. One without an outcome counts as failed, so that a
// fault of the load generator can never look like success.
func (c *Counts) Add(outcome loadgen.Outcome) {
	c.Offered++
	switch outcome {
	case loadgen.OK:
		c.OK++
	case loadgen.Degraded:
		c.Degraded++
	case loadgen.Declined:
		c.Declined++
	case loadgen.Unknown:
		c.Unknown++
	default:
		c.Failed++
	}
}

// Plus is the sum of two counts.
func (c Counts) Plus(o Counts) Counts {
	return Counts{
		Offered: c.Offered + o.Offered, OK: c.OK + o.OK, Degraded: c.Degraded + o.Degraded,
		Declined: c.Declined + o.Declined, Failed: c.Failed + o.Failed, Unknown: c.Unknown + o.Unknown,
	}
}

// Of is the number of journeys with that outcome.
func (c Counts) Of(outcome loadgen.Outcome) int64 {
	switch outcome {
	case loadgen.OK:
		return c.OK
	case loadgen.Degraded:
		return c.Degraded
	case loadgen.Declined:
		return c.Declined
	case loadgen.Failed:
		return c.Failed
	case loadgen.Unknown:
		return c.Unknown
	}
	return 0
}

// Good is the share, 0 to 1, that was served as it should be: ok or a correct
// business no. It is 0 where nothing was offered.
func (c Counts) Good() float64 { return c.share(c.OK + c.Declined) }

// Answered is the share, 0 to 1, that got any decision: Good and degraded.
func (c Counts) Answered() float64 { return c.share(c.OK + c.Declined + c.Degraded) }

// DegradedShare is the share, 0 to 1, that a fallback answered.
func (c Counts) DegradedShare() float64 { return c.share(c.Degraded) }

func (c Counts) share(n int64) float64 {
	if c.Offered == 0 {
		return 0
	}
	return float64(n) / float64(c.Offered)
}
