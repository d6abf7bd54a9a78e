package balance

import "time"

// budgetSlots is how finely the window is counted (Finagle's WindowedAdder
// uses 10 slices).
const budgetSlots = 10

// tokenBudget allows a retry when, over the window,
//
//	retries + 1 ≤ ratio × requests + minPerS × window
//
// The window is counted in budgetSlots slots; the oldest falls out whole.
type tokenBudget struct {
	config BudgetConfig
	slots  [budgetSlots]budgetSlot
}

type budgetSlot struct {
	index             int64 // of the slot since the zero of Unix time
	requests, retries int
}

func newTokenBudget(c BudgetConfig) *tokenBudget { return &tokenBudget{config: c} }

func (b *tokenBudget) Request(now time.Time) { b.slot(now).requests++ }

func (b *tokenBudget) Retry(now time.Time, retried int) bool {
	if retried >= b.config.Max {
		return false
	}
	current := b.slot(now)
	requests, retries := 0, 0
	for _, s := range b.slots {
		if s.index > current.index-budgetSlots {
			requests += s.requests
			retries += s.retries
		}
	}
	allowed := b.config.Ratio*float64(requests) + b.config.MinPerS*b.config.Window.Seconds()
	if float64(retries+1) > allowed {
		return false
	}
	current.retries++
	return true
}

func (b *tokenBudget) slot(now time.Time) *budgetSlot {
	index := now.UnixNano() / int64(b.config.Window/budgetSlots)
	s := &b.slots[index%budgetSlots]
	if s.index != index {
		*s = budgetSlot{index: index}
	}
	return s
}
