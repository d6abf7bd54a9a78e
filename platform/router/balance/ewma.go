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
//	load = cost × (pending + 1)
//	rtt > cost:  cost = rtt
//	otherwise:   cost = cost·w + rtt·(1−w),  w = e^(−Δt/τ)
//
// Reading the load decays the cost as an observation of zero would, so that an
// endpoint that was slow once and then avoided gets another chance.
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

func (p *peakEWMA) Load(now time.Time, id string) float64 {
	e := p.endpoints[id]
	if e == nil {
		return 0
	}
	e.observe(now, 0, p.decay)
	if e.costNs == 0 && e.pending != 0 {
		return noHistoryPenalty + float64(e.pending)
	}
	return e.costNs * float64(e.pending+1)
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
	case Gone:
	}
}

func (e *ewma) observe(now time.Time, rttNs float64, decay time.Duration) {
	if rttNs > e.costNs {
		e.costNs = rttNs
	} else if since := now.Sub(e.stamp); since > 0 {
		w := math.Exp(-float64(since) / float64(decay))
		e.costNs = e.costNs*w + rttNs*(1-w)
	}
	if now.After(e.stamp) {
		e.stamp = now
	}
}
