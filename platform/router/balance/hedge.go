package balance

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"breakbank/platform/router/window"
)

// Constants of hedging (Dean and Barroso, The Tail at Scale, 2013: a second
// request once the first has been out for longer than the 95th percentile adds
// about 5 % load). The floor is Finagle's BackupRequestFilter's
// (minSendBackupAfterMs 1); the budget counts over as long as a retry budget.
const (
	HedgePercentile = 0.95
	HedgeMaxExtra   = 0.05
	HedgeMinDelay   = time.Millisecond
	hedgeBudget     = BudgetWindow
)

// hedgeRefresh is how long a delay is used before it is estimated again: the
// window behind it is 30 s, and reading it costs a microsecond.
const hedgeRefresh = time.Second

// HedgeConfig is what an arm chooses.
type HedgeConfig struct {
	// Percentile of latency after which a second request is sent.
	Percentile float64 `yaml:"percentile"`
	// MaxExtra is the share of all requests that may be second ones.
	MaxExtra float64 `yaml:"max_extra"`
	// MinDelay is the least there is before a second one.
	MinDelay time.Duration `yaml:"min_delay"`
}

// WithDefaults fills in what is zero.
func (c HedgeConfig) WithDefaults() HedgeConfig {
	c.Percentile = cmp.Or(c.Percentile, HedgePercentile)
	c.MaxExtra = cmp.Or(c.MaxExtra, HedgeMaxExtra)
	c.MinDelay = cmp.Or(c.MinDelay, HedgeMinDelay)
	return c
}

// Validate says what is wrong, and what would be right.
func (c HedgeConfig) Validate() error {
	var errs []error
	if !(c.Percentile > 0 && c.Percentile < 1) {
		errs = append(errs, fmt.Errorf("percentile %v must be between 0 and 1, such as %v", c.Percentile, HedgePercentile))
	}
	if !(c.MaxExtra > 0 && c.MaxExtra <= 1) {
		errs = append(errs, fmt.Errorf("max_extra %v must be a share of the requests above 0 and at most 1, such as %v", c.MaxExtra, HedgeMaxExtra))
	}
	if c.MinDelay < 0 {
		errs = append(errs, fmt.Errorf("min_delay %v must not be negative: Finagle's is %v", c.MinDelay, HedgeMinDelay))
	}
	return errors.Join(errs...)
}

// Hedger decides for one service when a request that is slow is sent a second
// time, to another endpoint. The first answer is taken and the other attempt
// cancelled.
type Hedger struct {
	config    HedgeConfig
	latencies window.Latencies
	spent     window.Counts // requests, and second ones

	delay       time.Duration // zero: too few latencies
	estimatedAt time.Time
}

// NewHedger returns the hedger of one service.
func NewHedger(c HedgeConfig) *Hedger {
	return &Hedger{config: c, spent: window.NewCounts(hedgeBudget)}
}

// Request notes a new request and says after what delay to ask Hedge for a
// second one. There is none for a request that must not be executed twice,
// nor until enough latencies are known to tell such a percentile at all: for
// the 95th, 20.
func (h *Hedger) Request(now time.Time, idempotent bool) (after time.Duration, ok bool) {
	h.spent.Add(now, 1, 0)
	if since := now.Sub(h.estimatedAt); since < 0 || since >= hedgeRefresh {
		h.estimate(now)
	}
	return h.delay, idempotent && h.delay > 0
}

func (h *Hedger) estimate(now time.Time) {
	estimate, samples := h.latencies.Percentile(now, h.config.Percentile)
	h.delay, h.estimatedAt = 0, now
	// Rounded first: 1 − 0.95 is a little more than a twentieth.
	if needed := math.Ceil(math.Round(1e6/(1-h.config.Percentile)) / 1e6); float64(samples) >= needed {
		h.delay = max(estimate, h.config.MinDelay, 1)
	}
}

// Hedge asks whether a second request may be sent now, and spends it if so.
// Never are more than MaxExtra of the requests of the last 10 s second ones.
func (h *Hedger) Hedge(now time.Time) bool {
	requests, hedged := h.spent.Sum(now)
	if float64(hedged+1) > h.config.MaxExtra*float64(requests) {
		return false
	}
	h.spent.Add(now, 0, 1)
	return true
}

// Took notes how long an attempt was out that was answered, or cancelled
// because the other one was faster: were the slow ones left out, the delay
// would fall and fall.
func (h *Hedger) Took(now time.Time, took time.Duration) { h.latencies.Add(now, took) }
