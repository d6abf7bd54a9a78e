package balance

import (
	"time"

	"breakbank/platform/router/window"
)

// tokenBudget allows a retry when, over the window,
//
//	retries + 1 ≤ ratio × requests + minPerS × window
type tokenBudget struct {
	config BudgetConfig
	counts window.Counts // of requests and retries
}

func newTokenBudget(c BudgetConfig) *tokenBudget {
	return &tokenBudget{config: c, counts: window.NewCounts(c.Window)}
}

func (b *tokenBudget) Request(now time.Time) { b.counts.Add(now, 1, 0) }

func (b *tokenBudget) Retry(now time.Time, retried int) bool {
	if retried >= b.config.Max {
		return false
	}
	requests, retries := b.counts.Sum(now)
	allowed := b.config.Ratio*float64(requests) + b.config.MinPerS*b.config.Window.Seconds()
	if float64(retries+1) > allowed {
		return false
	}
	b.counts.Add(now, 0, 1)
	return true
}
