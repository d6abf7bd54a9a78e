package balance

import (
	"math"
	"time"
)

// ewmaDecay is the time after which an old latency counts 1/e (Finagle,
// Balancers.p2cPeakEwma decayTime = 10 s).
const ewmaDecay = 10 * time.Second

// noHistoryPenalty is the load of an endpoint that has requests pending and
// has never answered one: it gets one request, and no more until it answers
// (Finagle, PeakEwma Penalty = Double.MaxValue / 2; here smaller so that
// adding pending requests to it still changes the sum).
const noHistoryPenalty = 1e15

// peakEWMA is Finagle's load metric: a moving average of latency that rises
// at once to a peak and decays slowly, times requests pending.
//
//	load = cost × (pending/weight + 1)
//	rtt > cost:  cost = rtt
//	otherwise:   cost = cost·w + rtt·(1−w),  w = e^(−Δt/τ)
//
// Reading the load decays the cost as an observation of zero would, so that an
// endpoint that was slow once and then avoided gets another chance.
//
// The weight, 1 unless somebody says otherwise, is ours: half an instance with
// half the requests pending is as loaded as a whole one. How an attempt ended
// makes no difference, as in Finagle: an instance that fails at once looks
// fast, and it takes ejection or accrual to keep requests from it.
type peakEWMA struct {
	decay     time.Duration
	endpoints map[string]*ewma
}

type ewma struct {
	costNs  float64
	pending int
	stamp   time.Time
}

func newPeakEWMA(decay time.Duration) *peakEWMA {
	return &peakEWMA{decay: decay, endpoints: map[string]*ewma{}}
}

func (p *peakEWMA) Load(now time.Time, of *Endpoint) float64 {
	e := p.endpoints[of.ID]
	if e == nil {
		return 0
	}
	e.observe(now, 0, p.decay)
	if e.costNs == 0 && e.pending != 0 {
		return noHistoryPenalty + float64(e.pending)
	}
	return e.costNs * (float64(e.pending)/of.weight() + 1)
}

func (p *peakEWMA) Observe(ev Event) {
	if ev.Kind == Gone {
		delete(p.endpoints, ev.ID)
		return
	}
	e := p.endpoints[ev.ID]
	switch ev.Kind {
	case Sent:
		if e == nil {
			e = &ewma{stamp: ev.At}
			p.endpoints[ev.ID] = e
		}
		e.pending++
	case Done:
		// An attempt may end after its endpoint has left the table.
		if e != nil && e.pending > 0 {
			e.pending--
			e.observe(ev.At, float64(ev.Took), p.decay)
		}
	case Gone, Probed:
	}
}

func (e *ewma) observe(now time.Time, rttNs float64, decay time.Duration) {
	since := now.Sub(e.stamp)
	if since > 0 {
		e.stamp = now
	}
	if rttNs > e.costNs {
		e.costNs = rttNs
	} else if since > 0 {
		e.costNs = rttNs + (e.costNs-rttNs)*fade(float64(since)/float64(decay))
	}
}

// fade is e^−x. For the short times that are usual it is the beginning of its
// series, at a third of the cost and right to 2·10⁻¹⁰.
func fade(x float64) float64 {
	if x < 1e-3 {
		return 1 - x + x*x/2
	}
	return math.Exp(-x)
}
