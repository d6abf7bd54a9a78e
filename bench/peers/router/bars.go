package peers

import (
	"breakbank/bench/peers/comparison"
	"breakbank/bench/stats"
)

// Units of what bars measure.
const (
	timesHAProxy = "x haproxy"
	timesRaw     = "x raw-codec"
	msBeyond     = "ms beyond 1.1 x haproxy's"
)

// latencyAllowed is how many times what HAProxy adds to the 99th percentile may
// be added.
const latencyAllowed = 1.1

// bar is one thing that our data plane must hold against another peer, under
// every case of a load.
type bar struct {
	load    Load
	says    string
	against string
	unit    string
	limit   float64
	aim     float64 // 0: none
	// measure estimates what must not exceed the limit; nil if it cannot.
	measure func(t *table, ours, theirs cell) *stats.Estimate
}

// bars are those that the router was built to ("The bar", docs/peers.md). They
// are judged as measured.
var bars = []bar{
	{
		load: Saturation, says: "CPU a request of frames at saturation at most 1.0 x haproxy's, aim 0.7",
		against: haproxy, unit: timesHAProxy, limit: 1, aim: 0.7, measure: cpuAgainst,
	},
	{
		load: Saturation, says: "CPU a request of frames at saturation at most 1/4 of raw-codec's",
		against: rawCodec, unit: timesRaw, limit: 0.25, measure: cpuAgainst,
	},
	{
		load: Paced, says: "CPU a request of frames at 4000/s at most 1.3 x haproxy's, aim 1.0",
		against: haproxy, unit: timesHAProxy, limit: 1.3, aim: 1, measure: cpuAgainst,
	},
	{
		load: Paced, says: "p99 added by frames at 4000/s no worse than haproxy's + 10 %",
		against: haproxy, unit: msBeyond, limit: 0, measure: latencyAgainst,
	},
}

func cpuAgainst(t *table, ours, theirs cell) *stats.Estimate { return t.cpuRatio(ours, theirs.peer) }

// latencyAgainst is what is added to the 99th percentile beyond what is allowed.
// It is a difference: where HAProxy adds next to nothing a ratio says nothing.
func latencyAgainst(t *table, ours, theirs cell) *stats.Estimate {
	mine, other := t.addedEach(ours, tail), t.addedEach(theirs, tail)
	var a, b []float64
	for block := range comparison.BlocksMax {
		x, there := mine[block]
		y, thereToo := other[block]
		if there && thereToo {
			a, b = append(a, x), append(b, y)
		}
	}
	if len(a) == 0 {
		return nil
	}
	e := stats.Excess(a, latencyAllowed, b)
	return &e
}

// judge holds the bar against what was measured under a case.
func (b bar) judge(of Case, t *table, missing []Missing) comparison.Bar {
	out := comparison.Bar{Case: of.Name, Says: b.says, Unit: b.unit, Limit: b.limit}
	if b.aim != 0 {
		out.Aim = &b.aim
	}
	ours, theirs := cell{of: of, peer: frames}, cell{of: of, peer: b.against}
	for _, c := range []cell{ours, theirs} {
		if !t.Has(c) {
			why := "there is no measurement of " + c.peer
			for _, m := range missing {
				if m.Peer == c.peer {
					why = m.String()
				}
			}
			out.Judge(nil, why)
			return out
		}
		if b.unit == msBeyond && !t.conclude(c).KeptUp {
			out.Judge(nil, c.peer+" did not keep up with the load")
			return out
		}
	}
	out.Judge(b.measure(t, ours, theirs), "too few requests for the quantile, or no measurement of direct")
	return out
}
