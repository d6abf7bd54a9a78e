package load

import (
	"cmp"
	"context"
	"net"
	"slices"
	"time"

	"breakbank/bench/machine"
	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/recording"
)

// closedReason is why a closed loop is never ranked.
const closedReason = "a closed loop: while the target is slow, less is asked of it, so its latencies leave out those who would have come (coordinated omission)"

// lookupMax bounds finding out whether a target is on this machine.
const lookupMax = time.Second

// conclude makes a result of what was measured. reasons are those of workers.
func conclude(ctx context.Context, p *play, o Options, m *measured, workers []Worker, reasons []string) *Result {
	s := p.assembly.spec
	r := newResult(p, o, m)
	r.Workers = append(r.Workers, workers...)

	t := m.main.Totals(m.facts.Scheduled, m.lasted)
	r.Totals = Totals{Totals: t, GeneratorCPUS: m.cpuS}
	if t.Sent > 0 {
		r.Totals.GeneratorCPUUs = m.cpuS * 1e6 / float64(t.Sent)
	}
	r.Goodput = Goodput{Good: m.main.Good(), ObjectiveMs: float64(s.Objective) / float64(time.Millisecond)}
	if m.lasted > 0 {
		r.Goodput.PerS = float64(r.Goodput.Good) / m.lasted.Seconds()
	}
	if t.Scheduled > 0 {
		r.Goodput.Share = float64(r.Goodput.Good) / float64(t.Scheduled)
	}
	r.LeftOut = leftOut(t.LatencyMs)
	r.Retries = m.main.Retries()
	r.Errors = errorClasses(m.main)
	r.Seconds = secondsOf(m.main)
	for _, c := range recording.Clocks {
		r.Curves[c.String()] = curve(m.main.Overall(c))
	}
	if m.warmUp != nil {
		r.Phases = append(r.Phases, phaseOf(PhaseWarmUp, -s.WarmUp.Seconds(), 0, m.warmUp))
	}
	r.Phases = append(r.Phases, phaseOf(PhaseMain, 0, m.lasted.Seconds(), m.main))

	if !m.facts.Closed {
		m.facts.TestSteady(p.main.pacer, wholeMedians(m.main, m.lasted))
	}
	r.Evidence, r.Partial = m.facts, m.facts.Partial
	rules := rulesFor(ctx, s)
	r.InvalidReasons = append(rules.Judge(m.facts), reasons...)
	r.Valid = len(r.InvalidReasons) == 0
	r.Notes = rules.Notes(m.facts)
	if m.facts.Closed {
		r.Illustrative, r.IllustrativeReasons = true, []string{closedReason}
	}
	for _, threshold := range o.Thresholds {
		r.Thresholds = append(r.Thresholds, threshold.Judge(r))
	}
	return r
}

// newResult says what was run.
func newResult(p *play, o Options, m *measured) *Result {
	s := p.assembly.spec
	r := &Result{
		Schema: Schema, Kind: Kind, RunID: o.RunID, Scenario: s.scenario(), Seed: s.Seed, RatePerS: s.RatePerS,
		ScheduleSHA256: p.main.schedule.SHA256(), Loop: LoopOpen, Pacer: pacer.Text(p.main.pacer),
		DurationS: m.lasted.Seconds(), WarmUpS: s.WarmUp.Seconds(), Targets: []string{},
		Transport: s.transportName(), TLS: s.TLS != nil,
		IllustrativeReasons: []string{}, Thresholds: []ThresholdResult{}, Workers: []Worker{}, Phases: []Phase{},
		Curves: map[string][]CurvePoint{}, Environment: machine.Describe(m.began, o.Flags), snapshot: m.main,
	}
	if s.Closed > 0 {
		r.Loop, r.ClosedAtOnce, r.Pacer = LoopClosed, s.Closed, ""
	}
	for _, target := range p.assembly.config.Targets {
		r.Targets = append(r.Targets, target.Addresses...)
		r.Connections += len(target.Addresses) * target.Connections
	}
	return r
}

func errorClasses(s *recording.Snapshot) []ErrorClass {
	all := []ErrorClass{}
	for class, n := range s.Errors() {
		all = append(all, ErrorClass{Code: class.Code, Cause: class.Cause, Count: n})
	}
	slices.SortFunc(all, func(a, b ErrorClass) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Cause, b.Cause))
	})
	return all
}

// secondsOf is the series of a load, and of the answers that came after it.
func secondsOf(s *recording.Snapshot) []Second {
	all := []Second{}
	for _, second := range s.Seconds() {
		scheduled, sent, outcomes := second.Total()
		all = append(all, Second{
			TS: second.Index, Scheduled: scheduled, Sent: sent,
			OK: outcomes[loadgen.OK], Degraded: outcomes[loadgen.Degraded], Declined: outcomes[loadgen.Declined],
			Failed: outcomes[loadgen.Failed], Unknown: outcomes[loadgen.Unknown], LatencyMs: latencyOf(second.OverallMs),
			LatencySpanS: second.LatencySpanS, Good: sumOf(second.Good),
		})
	}
	return all
}

func sumOf(counts []int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// wholeMedians are the medians of the seconds that the load filled.
func wholeMedians(s *recording.Snapshot, lasted time.Duration) []float64 {
	var all []float64
	for _, second := range s.Seconds() {
		if p50 := second.OverallMs.P50; p50 != nil && time.Duration(second.Index+1)*time.Second <= lasted {
			all = append(all, *p50)
		}
	}
	return all
}

func phaseOf(name string, fromS, toS float64, s *recording.Snapshot) Phase {
	p := Phase{Name: name, FromS: fromS, ToS: toS, Journeys: map[string]Journey{}}
	names := s.Journeys()
	for _, figures := range s.Phases() {
		for j, f := range figures.Journeys {
			if f.Scheduled > 0 || f.Offered > 0 {
				p.Journeys[names[j]] = Journey{Tally: f.Tally, Good: f.Good, Scheduled: f.Scheduled, Sent: f.Sent, LatencyMs: latencyOf(f.LatencyMs)}
			}
		}
	}
	return p
}

// rulesFor are the rules of the verdict: those of shared cores where what is
// measured is on this machine.
func rulesFor(ctx context.Context, s Spec) evidence.LoadRules {
	switch s.Cores {
	case CoresOwn:
		return evidence.OwnCores
	case CoresShared:
		return evidence.SharedCores
	}
	addresses := s.Targets
	if s.Bank != nil {
		addresses = s.Bank.targets().CardNet
	}
	// The load may have been stopped by the end of its context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupMax)
	defer cancel()
	for _, address := range addresses {
		if onThisMachine(ctx, address) {
			return evidence.SharedCores
		}
	}
	return evidence.OwnCores
}

// onThisMachine says whether an address is one of this machine's; of one that
// cannot be looked up, that it is not.
func onThisMachine(ctx context.Context, address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false
	}
	ours, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, ip := range ips {
		if ip.IP.IsLoopback() {
			return true
		}
		for _, our := range ours {
			if network, ok := our.(*net.IPNet); ok && network.IP.Equal(ip.IP) {
				return true
			}
		}
	}
	return false
}
