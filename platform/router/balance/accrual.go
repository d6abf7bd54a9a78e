package balance

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"breakbank/platform/router/window"
)

// Constants of failure accrual: Finagle's FailureAccrualFactory, which is
// linkerd's, with its hybrid policy (5 in a row, or a success rate below 0.8
// over 30 s from at least 5 requests; Backoff.equalJittered(5 s, 300 s)).
const (
	AccrualConsecutive = 5
	AccrualSuccessRate = 0.8
	AccrualWindow      = 30 * time.Second
	AccrualMinRequests = 5
	AccrualBackoffMin  = 5 * time.Second
	AccrualBackoffMax  = 300 * time.Second
)

// AccrualConfig is what an arm chooses. An endpoint is marked dead after
// Consecutive failures in a row, or on a failure that leaves its success rate
// over Window below SuccessRate, once it has been known for a whole window and
// had MinRequests in it.
type AccrualConfig struct {
	Consecutive int           `yaml:"consecutive"`
	SuccessRate float64       `yaml:"success_rate"`
	Window      time.Duration `yaml:"window"`
	MinRequests int           `yaml:"min_requests"`
	BackoffMin  time.Duration `yaml:"backoff_min"`
	BackoffMax  time.Duration `yaml:"backoff_max"`
}

// WithDefaults fills in what is zero.
func (c AccrualConfig) WithDefaults() AccrualConfig {
	c.Consecutive = cmp.Or(c.Consecutive, AccrualConsecutive)
	c.SuccessRate = cmp.Or(c.SuccessRate, AccrualSuccessRate)
	c.Window = cmp.Or(c.Window, AccrualWindow)
	c.MinRequests = cmp.Or(c.MinRequests, AccrualMinRequests)
	c.BackoffMin = cmp.Or(c.BackoffMin, AccrualBackoffMin)
	c.BackoffMax = cmp.Or(c.BackoffMax, max(c.BackoffMin, AccrualBackoffMax))
	return c
}

// Validate says what is wrong, and what would be right.
func (c AccrualConfig) Validate() error {
	var errs []error
	if c.Consecutive < 1 {
		errs = append(errs, fmt.Errorf("consecutive %d must be at least 1: linkerd's is %d", c.Consecutive, AccrualConsecutive))
	}
	if !(c.SuccessRate >= 0 && c.SuccessRate <= 1) {
		errs = append(errs, fmt.Errorf("success_rate %v must be from 0 to 1: linkerd's is %v", c.SuccessRate, AccrualSuccessRate))
	}
	if c.Window < minOverlayWindow {
		errs = append(errs, fmt.Errorf("window %v must be at least %v: linkerd's is %v", c.Window, minOverlayWindow, AccrualWindow))
	}
	if c.MinRequests < 1 {
		errs = append(errs, fmt.Errorf("min_requests %d must be at least 1: Finagle's is %d", c.MinRequests, AccrualMinRequests))
	}
	if c.BackoffMin <= 0 || c.BackoffMax < c.BackoffMin {
		errs = append(errs, fmt.Errorf("backoff_min %v must be positive and backoff_max %v no less: linkerd's are %v and %v",
			c.BackoffMin, c.BackoffMax, AccrualBackoffMin, AccrualBackoffMax))
	}
	return errors.Join(errs...)
}

// Verdict is what the end of an attempt says of its endpoint.
type Verdict int

// The verdicts.
const (
	// Fine: it answered.
	Fine Verdict = iota
	// Faulty: it failed.
	Faulty
	// Neither: nothing can be said. The caller left, or the request could not
	// be sent to anybody.
	Neither
)

// Accrual marks the endpoints of one service dead that keep failing, and
// revives each by a single request:
//
//	alive ── failures ──▶ dead ── backoff over ──▶ probation
//	  ▲                     ▲                        │ one request
//	  │                     └───── it fails ─────── trial
//	  └────────────────────────── it succeeds ───────┘
//
// It differs from outlier ejection in judging each endpoint alone, without
// regard to how many are left, and in trusting a dead one with one request
// first. Finagle weighs its success rate by a moving average; here it is a
// plain share of the window, which a reader can check.
type Accrual struct {
	config AccrualConfig
	record map[string]*accrued
	dead   int // of them, on probation or trial included
}

type accrued struct {
	dead     bool
	trial    bool // dead, and the one request is under way
	until    time.Time
	deaths   int // without a success in between
	failures int // in a row
	since    time.Time
	recent   window.Counts
}

// NewAccrual returns the failure accrual of one service.
func NewAccrual(c AccrualConfig) *Accrual {
	return &Accrual{config: c, record: map[string]*accrued{}}
}

// Sent notes that an attempt was handed to the endpoint. To one on probation
// it is the request that decides.
func (a *Accrual) Sent(now time.Time, id string) {
	e := a.record[id]
	if e == nil {
		a.record[id] = &accrued{since: now, recent: window.NewCounts(a.config.Window)}
		return
	}
	if e.dead && !now.Before(e.until) {
		e.trial = true
	}
}

// Done notes how an attempt ended. It reports whether this marked the endpoint
// dead. As in Finagle the first attempt to end while one is on trial decides
// it, though it may have begun before.
func (a *Accrual) Done(now time.Time, rng *rand.Rand, id string, v Verdict) bool {
	e := a.record[id]
	if e == nil {
		return false // it has left the table
	}
	switch v {
	case Neither:
		e.trial = false // of a dead one: the next request decides instead
	case Fine:
		if e.trial {
			a.dead--
			*e = accrued{since: now, recent: window.NewCounts(a.config.Window)}
		}
		e.failures = 0
		e.recent.Add(now, 1, 0)
	case Faulty:
		if e.dead && !e.trial {
			return false // it began before
		}
		e.failures++
		e.recent.Add(now, 0, 1)
		if e.trial || e.failures >= a.config.Consecutive || a.belowRate(now, e) {
			if !e.dead {
				a.dead++
			}
			e.deaths++
			e.dead, e.trial = true, false
			e.until = now.Add(a.backoff(rng, e.deaths))
			return true
		}
	}
	return false
}

func (a *Accrual) belowRate(now time.Time, e *accrued) bool {
	if now.Sub(e.since) < a.config.Window {
		return false
	}
	good, bad := e.recent.Sum(now)
	return good+bad >= a.config.MinRequests && float64(good) < a.config.SuccessRate*float64(good+bad)
}

// backoff is for how long the n-th death in a row lasts: BackoffMin, then from
// 1 to 2 times BackoffMin, from 2 to 4 times, and so on to BackoffMax. Half of
// it is random, lest all routers try the endpoint at the same time.
func (a *Accrual) backoff(rng *rand.Rand, n int) time.Duration {
	if n == 1 {
		return a.config.BackoffMin
	}
	half := a.config.BackoffMin
	for range n - 2 {
		if half >= a.config.BackoffMax {
			return a.config.BackoffMax
		}
		half *= 2
	}
	return min(half+time.Duration(rng.Int64N(int64(half))), a.config.BackoffMax)
}

// AnyDead says whether Mark may change anything, now or before the next Done.
func (a *Accrual) AnyDead() bool { return a.dead > 0 }

// Mark sets Healthy to false on those that are dead or on trial.
func (a *Accrual) Mark(now time.Time, endpoints []Endpoint) {
	for i := range endpoints {
		if e := a.record[endpoints[i].ID]; e != nil && e.dead && (e.trial || now.Before(e.until)) {
			endpoints[i].Healthy = false
		}
	}
}

// Forget drops what is known of an endpoint that left the table.
func (a *Accrual) Forget(id string) {
	if e := a.record[id]; e != nil && e.dead {
		a.dead--
	}
	delete(a.record, id)
}
