package loadgen

import (
	"slices"

	"breakbank/bench/peers/comparison"
	"breakbank/bench/stats"
)

// bar is one thing that our generator must hold under every case of a kind.
type bar struct {
	kind Kind
	says string
	// of is ours, against whom it is compared with, empty for nobody.
	of, against string
	unit        string
	limit       float64
	atLeast     bool
	measure     func(t *table, c cell) *stats.Estimate
}

// What the generator was built to (docs/peers.md).
const (
	ghzLimit       = 1.0 / 6
	h2loadLimit    = 2
	offeredMin     = 0.999
	sendDelayMaxMs = 0.2
	strayMax       = 0.05
	offMax         = 0.01
)

// bars are judged as measured.
var bars = []bar{
	{
		kind: Saturation, says: "CPU a request, open loop, at most 1/6 of ghz's",
		of: breakbank, against: ghz, unit: "x ghz", limit: ghzLimit, measure: cpuAgainst(ghz),
	},
	{
		kind: Saturation, says: "CPU a request, open loop, at most 2 x h2load's",
		of: breakbank, against: h2load, unit: "x h2load", limit: h2loadLimit, measure: cpuAgainst(h2load),
	},
	{
		kind: Saturation, says: "CPU a request, closed loop, at most 1/6 of ghz's",
		of: closed, against: ghz, unit: "x ghz", limit: ghzLimit, measure: cpuAgainst(ghz),
	},
	{
		kind: Saturation, says: "CPU a request, closed loop, at most 2 x h2load's",
		of: closed, against: h2load, unit: "x h2load", limit: h2loadLimit, measure: cpuAgainst(h2load),
	},
	{
		kind: Schedule, says: "at least 99.9 % of the schedule offered",
		of: breakbank, unit: "of the schedule", limit: offeredMin, atLeast: true, measure: meanOf(offered),
	},
	{
		kind: Schedule, says: "send delay p50 at most 0.2 ms",
		of: breakbank, unit: "ms", limit: sendDelayMaxMs, measure: meanOf(sendDelay("p50")),
	},
	{
		kind: Schedule, says: "sent times within 0.05 of the schedule (Kolmogorov-Smirnov D)",
		of: breakbank, unit: "D", limit: strayMax, measure: meanOf(stray),
	},
	{
		kind: Truth, says: "reported within 1 % of the truth",
		of: breakbank, unit: "off", limit: offMax, measure: meanOf(off),
	},
}

func cpuAgainst(other string) func(*table, cell) *stats.Estimate {
	return func(t *table, c cell) *stats.Estimate { return t.cpuRatio(c, other) }
}

func meanOf(figure func(*sample) (float64, bool)) func(*table, cell) *stats.Estimate {
	return func(t *table, c cell) *stats.Estimate { return t.mean(c, figure) }
}

// judge holds the bar against what was measured under a case.
func (b bar) judge(of Case, t *table, missing []Missing) comparison.Bar {
	out := comparison.Bar{Case: of.Name, Says: b.says, Unit: b.unit, Limit: b.limit, AtLeast: b.atLeast}
	for _, name := range []string{b.of, b.against} {
		if name == "" || t.Has(cell{of.Name, name}) {
			continue
		}
		why := "there is no measurement of " + name
		if i := slices.IndexFunc(missing, func(m Missing) bool { return m.Generator == name }); i >= 0 {
			why = missing[i].String()
		}
		out.Judge(nil, why)
		return out
	}
	out.Judge(b.measure(t, cell{of.Name, b.of}), "there are too few requests for it")
	return out
}
