package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"breakbank/bench/result"
	"breakbank/loadgen/evidence"
)

// headline says in a sentence what the customers felt.
func headline(r *result.Result) string {
	i := r.Impact
	var felt []string
	if i.FullOutageS > 0 {
		felt = append(felt, seconds(i.FullOutageS)+" of total outage")
	}
	if i.PartialOutageS > 0 {
		felt = append(felt, seconds(i.PartialOutageS)+" of partial outage")
	}
	if len(felt) == 0 {
		felt = append(felt, "no outage")
	}
	end := "no payment failed"
	if lost := i.PaymentsFailed + i.PaymentsUnknown; lost > 0 {
		end = count(lost) + " payments failed or went unanswered"
	}
	return fmt.Sprintf("%s; %s; %s customers affected.", strings.Join(felt, ", "), end, count(i.CustomersAffected))
}

// verdict says in a few words whether a result may be believed.
func verdict(valid, partial, illustrative bool) string {
	words := "VALID"
	if !valid {
		words = "INVALID"
	}
	if partial {
		words += ", partial"
	}
	if illustrative {
		words += ", illustrative"
	}
	return words
}

// books says in a word whether the books balance.
func books(audited, balance bool) string {
	switch {
	case !audited:
		return "not audited"
	case balance:
		return "balance"
	}
	return "BROKEN"
}

// tiles are the figures that are read first.
func tiles(r *result.Result) []fact {
	i := r.Impact
	return []fact{
		{"total outage", seconds(i.FullOutageS), paced(i.FullOutagePacedMin)},
		{"partial outage", seconds(i.PartialOutageS), paced(i.PartialOutagePacedMin)},
		{"payments failed", count(i.PaymentsFailed), fmt.Sprintf("%s more without an answer", count(i.PaymentsUnknown))},
		{"payments stood in", count(i.PaymentsStoodIn), fmt.Sprintf("%s more delayed", count(i.PaymentsDelayed))},
		{"customer-minutes lost", count(int64(math.Round(i.CustomerMinutesLost))), fmt.Sprintf("of %s customers", count(i.CustomersAffected))},
	}
}

// impact lists everything that was measured of the impact.
func impact(r *result.Result) []fact {
	i := r.Impact
	facts := []fact{
		{"first felt", optional(i.ImpactFromS), "into the run"},
		{"time to detect", optional(i.DetectS), "from there, to the first burn-rate alert"},
		{"time to mitigate", optional(i.MitigateS), "from there"},
		{"time to recover", optional(i.RecoverS), "from there"},
		{"came back by itself", yes(i.Recovered), "every journey ≥ 99 % at the end"},
		{"unanswered, total", seconds(i.FullUnansweredS), "fallback answers count as answers"},
		{"unanswered, partial", seconds(i.PartialUnansweredS), ""},
		{"overspend", money(i.OverspendMinor), "below the limit, by stand-in's decisions"},
		{"unanswered, but happened", count(r.Audit.Figures.UnknownHappened), "of the writes without an answer"},
		{"wrong approvals", count(i.WrongApprovals), "held against the true book"},
		{"wrong declines", count(i.WrongDeclines), "held against the true book"},
		{"holds given back", count(i.HoldsReversed), "the card network was not told of them"},
		{"retry amplification", fmt.Sprintf("%.2f", i.RetryAmplification), "attempts a request, over all routers"},
		{"oldest route used", seconds(float64(i.Staleness.AnswerAgeMaxMs) / 1000), "as the answers themselves said"},
		{"furthest behind", seconds(float64(i.Staleness.RouterAgeMaxMs) / 1000), "a router's table behind etcd"},
		{"advices waiting, at most", count(i.Backlog.AdvicesPeak), ""},
		{"payments queued, at most", count(i.Backlog.QueuedPeak), ""},
		{"reversals waiting, at most", count(i.Backlog.ReversalsPeak), ""},
		{"backlogs drained", drained(i.Backlog), "after the script"},
	}
	if again := r.Retries; again.Offered > 0 {
		facts = append(facts,
			fact{"tried again", count(again.Offered), fmt.Sprintf("by customers, in no other figure; %s got an answer", count(again.OK+again.Declined+again.Degraded))},
			fact{"charged again", count(r.Audit.Figures.ChargedAgain), "held the card out again though the first time had gone through"})
	}
	return facts
}

func drained(b result.Backlog) string {
	if !b.Drained {
		return "no"
	}
	return "in " + seconds(b.DrainS)
}

func environment(r *result.Result) []fact {
	e := r.Environment
	return []fact{
		{Name: "machine", Value: fmt.Sprintf("%s, %d cores, %.0f GiB", e.Machine, e.Cores, e.MemoryGiB)},
		{Name: "system", Value: fmt.Sprintf("%s/%s, kernel %s", e.OS, e.Arch, e.Kernel)},
		{Name: "Go", Value: e.Go},
		{Name: "commit", Value: e.Commit},
		{Name: "started", Value: e.StartedUTC},
		{Name: "schedule", Value: r.ScheduleSHA256},
		{Name: "load", Value: fmt.Sprintf("%s scheduled, %s sent, %s dropped", count(r.Load.Scheduled), count(r.Load.Sent), count(r.Load.Dropped))},
		{Name: "send delay p99", Value: optionalMs(r.Load.SendDelayMs.P99)},
		{Name: "generator", Value: fmt.Sprintf("%.1f s CPU in %.0f s, longest GC pause %.2f ms", r.Load.GeneratorCPUS, r.Load.GeneratorWallS, r.Load.GCPauseMaxMs)},
		{Name: "processors", Value: pressure(&r.Load.Pressure)},
	}
}

// pressure says whether there were processors enough, as far as is known.
func pressure(p *evidence.Pressure) string {
	text := "not known whether anything waited for one"
	if p.PressureKnown {
		text = fmt.Sprintf("something waited for one in %.0f %% of the time", p.PressureShare*100)
	}
	if !p.OthersKnown {
		return text + "; not known what others used"
	}
	return text + fmt.Sprintf("; others used %.0f %% of the machine", p.OthersShare*100)
}

// commandLine is what plays the same run again.
func commandLine(r *result.Result) string {
	words := []string{
		"breakbank replay", r.Scenario, "--arm", r.Arm,
		"--rate", strconv.FormatFloat(r.RatePerS, 'f', -1, 64),
		"--pace", strconv.FormatFloat(r.Pace, 'f', -1, 64),
		"--seed", strconv.FormatUint(r.Seed, 10), "--fallback", r.Fallback,
	}
	for _, w := range r.Without {
		words = append(words, "--without", w)
	}
	return strings.Join(words, " ")
}

func seconds(s float64) string {
	if s != 0 && s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}

func paced(minutes float64) string {
	if minutes == 0 {
		return "none of the incident"
	}
	return fmt.Sprintf("%.0f min of the incident", minutes)
}

func optional(s *float64) string {
	if s == nil {
		return "–"
	}
	return seconds(*s)
}

func optionalMs(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return fmt.Sprintf("%.2f ms", *ms)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func money(minor int64) string { return fmt.Sprintf("£%s.%02d", count(minor/100), minor%100) }

// share is a percentage. It never rounds up to 100 or down to 0 what is not.
func share(f float64) string {
	percent := 100 * f
	switch {
	case f == 0 || f == 1:
		return fmt.Sprintf("%.0f %%", percent)
	case percent >= 99:
		return fmt.Sprintf("%.2f %%", math.Min(percent, 99.99))
	case percent < 1:
		return fmt.Sprintf("%.2f %%", math.Max(percent, 0.01))
	default:
		return fmt.Sprintf("%.0f %%", percent)
	}
}

// observed is the figure of an expectation: a share for a journey, a number
// for routers and log lines.
func observed(e result.Expectation) string {
	switch e.Journey {
	case result.SubjectRouters:
		return fmt.Sprintf("%.0f of %d", e.Observed, e.Offered)
	case result.SubjectLogs:
		return fmt.Sprintf("%s lines", count(int64(e.Observed)))
	}
	return share(e.Observed)
}

// count groups digits by thousands.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + " " + digits[i:]
	}
	return digits
}

func short(hash string) string {
	const enough = 12
	if len(hash) > enough {
		return hash[:enough]
	}
	return hash
}

func spacedName(name string) string { return strings.ReplaceAll(name, "_", " ") }

func spaced(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = spacedName(n)
	}
	return out
}
