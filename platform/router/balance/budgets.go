package balance

import (
	"fmt"
	"time"
)

// BudgetNone is the kind of budget that allows no retry.
const BudgetNone = "none"

// Constants of retries. The budget's are Finagle's RetryBudget defaults (ttl
// 10 s, minRetriesPerSec 10, percentCanRetry 0.2).
const (
	NaiveRetries  = 3
	BudgetRatio   = 0.2
	BudgetMinPerS = 10.0
	BudgetWindow  = 10 * time.Second
)

// BudgetConfig is what an arm chooses. A kind reads what it needs of it.
type BudgetConfig struct {
	// Max retries of one request, in every kind but none.
	Max int
	// Ratio of retries to requests, beyond MinPerS, both over Window.
	Ratio   float64
	MinPerS float64
	Window  time.Duration
}

// Budget limits the retries of a router. Attempts that never reached a server
// are not retries and are not asked about.
type Budget interface {
	// Request notes a new request.
	Request(now time.Time)
	// Retry asks for one more attempt of a request that has been retried
	// `retried` times, and spends it when allowed.
	Retry(now time.Time, retried int) bool
}

// BudgetKind is a budget that an arm can name.
type BudgetKind struct {
	Name, About string
	New         func(BudgetConfig) Budget
}

// Budgets is every kind there is.
var Budgets = []BudgetKind{
	{BudgetNone, "no retries", func(BudgetConfig) Budget { return noRetries{} }},
	{"naive", "a fixed number for every request, whatever the others do", func(c BudgetConfig) Budget { return naiveRetries{c.Max} }},
	{"budget", "a share of the requests in a window, and a floor for quiet times (Finagle)", func(c BudgetConfig) Budget { return newTokenBudget(c) }},
}

// BudgetNames lists the kinds in table order.
func BudgetNames() []string {
	names := make([]string, len(Budgets))
	for i, b := range Budgets {
		names[i] = b.Name
	}
	return names
}

// NewBudget returns a fresh budget.
func NewBudget(name string, c BudgetConfig) (Budget, error) {
	for _, b := range Budgets {
		if b.Name == name {
			return b.New(c), nil
		}
	}
	return nil, fmt.Errorf("retry budget %q is not one of %v", name, BudgetNames())
}

type noRetries struct{}

func (noRetries) Request(time.Time)         {}
func (noRetries) Retry(time.Time, int) bool { return false }

// naiveRetries multiplies the load by up to max+1 exactly when the servers
// can bear it least; it is here to be measured.
type naiveRetries struct{ max int }

func (naiveRetries) Request(time.Time)                     {}
func (n naiveRetries) Retry(_ time.Time, retried int) bool { return retried < n.max }
