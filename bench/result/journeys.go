package result

import "breakbank/loadgen"

// Journeys lists the names of all journeys in the order shown: the keys of
// Phase.Journeys and Second.Journeys.
func Journeys() []string {
	names := make([]string, 0, loadgen.JourneyCount)
	for _, journey := range loadgen.Journeys {
		names = append(names, journey.Name)
	}
	return names
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
