package result

import (
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
)

// Run is everything that the figures of a result are computed from.
type Run struct {
	// Records are in the order of decision.
	Records []loadgen.Record
	Spans   []Span
	// Seconds hold the routers' states as well.
	Seconds []Second
	Pace    float64
	EndS    float64
	Backlog Backlog
	Audit   Audit
}

// MeasureImpact computes the headline of a replay.
func MeasureImpact(run Run) Impact {
	im := Impact{
		Journeys: make(map[string]JourneyImpact, customers.JourneyCount), Backlog: run.Backlog,
		OverspendMinor: run.Audit.Figures.OverspendMinor, HoldsReversed: run.Audit.Figures.HoldsReversed,
		WrongApprovals: run.Audit.Figures.WrongApprovals, WrongDeclines: run.Audit.Figures.WrongDeclines,
	}
	outages := outagesOf(run.Records, run.Spans)
	im.sumOutages(outages)
	im.FullOutagePacedMin = im.FullOutageS * run.Pace / 60
	im.PartialOutagePacedMin = im.PartialOutageS * run.Pace / 60
	im.time(outages, run)

	lostS, customers := CustomersLost(run.Records, run.EndS)
	im.CustomerMinutesLost = lostS / 60
	im.CustomerMinutesLostPaced = lostS / 60 * run.Pace
	im.CustomersAffected = customers
	im.countPayments(run.Records)
	im.RetryAmplification = amplification(run.Seconds)
	im.Staleness = staleness(run)
	return im
}

func (im *Impact) sumOutages(outages []outage) {
	for _, o := range outages {
		lasted := o.ToS - o.FromS
		add(overall(o.good), lasted, &im.FullOutageS, &im.PartialOutageS)
		add(overall(o.answered), lasted, &im.FullUnansweredS, &im.PartialUnansweredS)
	}
	for i, journey := range customers.Journeys {
		var ji JourneyImpact
		seen := isUsual(loadgen.Journey(i))
		for _, o := range outages {
			lasted := o.ToS - o.FromS
			if _, judged := o.good[loadgen.Journey(i)]; judged {
				seen = true
			}
			add(o.good[loadgen.Journey(i)], lasted, &ji.FullOutageS, &ji.PartialOutageS)
			add(o.answered[loadgen.Journey(i)], lasted, &ji.FullUnansweredS, &ji.PartialUnansweredS)
		}
		if seen {
			im.Journeys[journey.Name] = ji
		}
	}
}

func add(l level, lastedS float64, fullS, partialS *float64) {
	switch l {
	case full:
		*fullS += lastedS
	case partial:
		*partialS += lastedS
	case fine:
	}
}

// time fills when the outage began, was noticed, mitigated and over.
func (im *Impact) time(outages []outage, run Run) {
	im.Recovered = true
	var fromS, toS float64
	for _, o := range outages {
		bad := overall(o.good) != fine
		im.Recovered = !bad
		if bad && im.ImpactFromS == nil {
			fromS = o.FromS
			im.ImpactFromS = &fromS
		}
		if bad {
			toS = o.ToS
		}
	}
	if im.ImpactFromS == nil {
		return
	}
	if atS, ok := FirstAlert(run.Seconds, run.Pace, fromS); ok {
		detect := max(atS-fromS, 0)
		im.DetectS = &detect
	}
	if im.Recovered {
		recovered := toS - fromS
		im.RecoverS = &recovered
	}
	mitigated, still := 0.0, false
	for _, second := range run.Seconds {
		all := second.All()
		if all.Offered == 0 || second.TS+1 <= fromS {
			continue
		}
		if still = all.Answered() < 0.5; still {
			mitigated = second.TS + 1 - fromS
		}
	}
	if !still {
		im.MitigateS = &mitigated
	}
}

func (im *Impact) countPayments(records []loadgen.Record) {
	for i := range records {
		r := &records[i]
		if !customers.Journeys[r.Journey].Write {
			continue
		}
		switch r.Outcome {
		case loadgen.Failed:
			im.PaymentsFailed++
		case loadgen.Unknown:
			im.PaymentsUnknown++
		}
		if r.Queued {
			im.PaymentsDelayed++
		}
		if r.Standin {
			im.PaymentsStoodIn++
		}
	}
}

// CountRoutes counts journeys by the worst route an answer came over.
func CountRoutes(records []loadgen.Record) Routes {
	var routes Routes
	for i := range records {
		switch records[i].Route {
		case "live":
			routes.Live++
		case "stale":
			routes.Stale++
		case "snapshot":
			routes.Snapshot++
		case "seed":
			routes.Seed++
		case "fallback":
			routes.Fallback++
		default:
			routes.None++
		}
	}
	return routes
}
