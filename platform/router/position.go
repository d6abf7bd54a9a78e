package router

import "breakbank/platform/router/balance"

// position is which of how many this router is of those that send to the same
// instances, as far as anybody knows.
type position struct{ index, callers int }

// tell tells a strategy that wants to know. One that is told nothing does
// without.
func (p position) tell(s balance.Strategy) {
	if placed, ok := s.(balance.Placed); ok && p.callers > 0 {
		placed.Place(p.index, p.callers)
	}
}
