package overload

import (
	"math/rand/v2"
	"time"
)

// Guard is the limiters that a configuration has, for one service. A request
// goes on if all of them admit it.
type Guard struct {
	chain []named
	shed  *CriticalityConfig
}

type named struct {
	reason string
	Limiter
}

// NewGuard returns the guard of one service. The configuration is valid and
// has its defaults. A guard without a limiter admits everything.
func NewGuard(c Config) *Guard {
	g := &Guard{shed: c.Criticality}
	for _, kind := range Overlays {
		if kind.New != nil && kind.On(c) {
			g.chain = append(g.chain, named{kind.Name, kind.New(c)})
		}
	}
	return g
}

// Admit says whether a request may go on, and if not, why (Reason…). One that
// is admitted must come to Done exactly once.
func (g *Guard) Admit(now time.Time, rng *rand.Rand, level Criticality) (admitted bool, reason string) {
	if g.shed != nil && g.shed.sheds(level, g.Pressure(now)) {
		return false, ReasonCriticality
	}
	for i := range g.chain {
		if g.chain[i].Admit(now, rng, level) {
			continue
		}
		for _, earlier := range g.chain[:i] {
			earlier.Done(now, 0, Ignored)
		}
		return false, g.chain[i].reason
	}
	return true, ""
}

// Done ends a request that was admitted. took is from Admit to its end, zero
// for a stream.
func (g *Guard) Done(now time.Time, took time.Duration, o Outcome) {
	for i := range g.chain {
		g.chain[i].Done(now, took, o)
	}
}

// Pressure is that of the limiter that is nearest to refusing.
func (g *Guard) Pressure(now time.Time) float64 {
	pressure := 0.0
	for i := range g.chain {
		pressure = max(pressure, g.chain[i].Pressure(now))
	}
	return pressure
}
