package balance

import (
	"math"
	"math/rand/v2"
	"time"
)

// Constants of go-kratos (selector/p2c forcePick; selector/node/ewma tau,
// penalty, the 5 ms in load, the 200 slots of inflights).
const (
	kratosDecay       = 600 * time.Millisecond
	kratosForced      = 3 * time.Second
	kratosLagFloor    = 5 * time.Millisecond
	kratosNoHistory   = float64(100 * time.Microsecond)
	kratosStartsKept  = 200
	kratosWorstHealth = 1e-3 // kratos keeps thousandths and so divides by nothing less
)

// kratos is the p2c of go-kratos: of two drawn the one with more
//
//	success ÷ (√(lag + 5 ms) × requests pending)
//
// where success and lag are moving averages with a time constant of 600 ms,
// and lag is at least as long as most pending requests have already waited,
// so that an instance that has stopped answering is seen before it answers.
// The loser of a draw that has not been used for 3 s is picked nevertheless:
// whatever was held against it may be over. The root makes it care less for
// latency than p2c-ewma does; and it minds failures.
type kratos struct {
	lottery   lottery
	endpoints map[string]*kratosNode
}

type kratosNode struct {
	lagNs, success float64
	stamp          time.Time
	lastPick       time.Time
	pending        int
	starts         startTimes
}

func newKratos() *kratos { return &kratos{endpoints: map[string]*kratosNode{}} }

func (k *kratos) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, _ Request) int {
	if len(endpoints) == 1 {
		return 0
	}
	picked := 0
	for range p2cMaxEffort {
		a, b := k.lottery.pair(rng, endpoints, nil)
		picked = lessLoaded(now, endpoints, k, a, b)
		if loser := a + b - picked; b >= 0 && k.unused(now, &endpoints[loser]) &&
			endpoints[loser].Healthy == endpoints[picked].Healthy {
			picked = loser
		}
		if endpoints[picked].Healthy {
			return picked
		}
	}
	return picked
}

// unused says whether an endpoint has not been picked for so long that it
// must be.
func (k *kratos) unused(now time.Time, e *Endpoint) bool {
	n := k.endpoints[e.ID]
	return n == nil || now.Sub(n.lastPick) > kratosForced
}

// Load is the reciprocal of what kratos maximises.
func (k *kratos) Load(now time.Time, e *Endpoint) float64 {
	n := k.endpoints[e.ID]
	if n == nil {
		return kratosNoHistory
	}
	pending := float64(n.pending)/e.weight() + 1
	if n.lagNs == 0 {
		return kratosNoHistory * pending
	}
	lagNs := n.lagNs
	if since, ok := n.starts.median(); ok {
		lagNs = max(lagNs, float64(now.Sub(since)))
	}
	return math.Sqrt(lagNs+float64(kratosLagFloor)) * pending / max(n.success, kratosWorstHealth)
}

func (k *kratos) Observe(e Event) {
	n := k.endpoints[e.ID]
	switch e.Kind {
	case Sent:
		if n == nil {
			n = &kratosNode{success: 1}
			k.endpoints[e.ID] = n
		}
		n.lastPick = e.At
		n.pending++
		n.starts.push(e.At)
	case Done:
		if n == nil || n.pending == 0 {
			return // it ended after its endpoint had left the table
		}
		n.pending--
		n.starts.pop()
		n.ended(e)
	case Gone:
		delete(k.endpoints, e.ID)
	case Probed:
	}
}

func (n *kratosNode) ended(e Event) {
	w := 0.0 // a first answer is believed at once
	if n.lagNs != 0 {
		w = math.Exp(-float64(max(0, e.At.Sub(n.stamp))) / float64(kratosDecay))
	}
	success := 1.0
	if e.Failed {
		success = 0
	}
	n.lagNs = n.lagNs*w + float64(max(1, e.Took))*(1-w)
	n.success = n.success*w + success*(1-w)
	n.stamp = e.At
}

// startTimes holds when the pending requests of an endpoint were sent, the
// latest kratosStartsKept of them at most. An event does not say which request
// has ended, so the oldest is taken out: right if they end in order, and if
// none ends, which is what it is for.
type startTimes struct {
	at    []time.Time // a ring that grows to kratosStartsKept
	first int
	n     int
	older int // pending, sent before those kept
}

func (s *startTimes) push(t time.Time) {
	switch {
	case s.n == kratosStartsKept:
		s.first = (s.first + 1) % len(s.at)
		s.n--
		s.older++
	case s.n == len(s.at):
		grown := make([]time.Time, min(kratosStartsKept, max(8, 2*s.n)))
		for i := range s.n {
			grown[i] = s.at[(s.first+i)%s.n]
		}
		s.at, s.first = grown, 0
	}
	s.at[(s.first+s.n)%len(s.at)] = t
	s.n++
}

func (s *startTimes) pop() {
	switch {
	case s.older > 0:
		s.older--
	case s.n > 0:
		s.first = (s.first + 1) % len(s.at)
		s.n--
	}
}

// median is when the middle one of those pending was sent: most have waited
// at least since then.
func (s *startTimes) median() (time.Time, bool) {
	if s.n == 0 {
		return time.Time{}, false
	}
	return s.at[(s.first+s.n/2)%len(s.at)], true
}
