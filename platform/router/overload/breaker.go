package overload

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"breakbank/platform/router/window"
)

// Constants of the service-wide breaker: Hystrix's defaults
// (circuitBreaker.requestVolumeThreshold 20, errorThresholdPercentage 50,
// sleepWindowInMilliseconds 5000, metrics.rollingStats 10 s).
const (
	BreakerMinRequests = 20
	BreakerFailPercent = 50
	BreakerSleep       = 5 * time.Second
	BreakerWindow      = 10 * time.Second
)

// BreakerConfig is what an arm chooses.
type BreakerConfig struct {
	MinRequests int           `yaml:"min_requests"`
	FailPercent int           `yaml:"fail_percent"`
	Sleep       time.Duration `yaml:"sleep"`
	Window      time.Duration `yaml:"window"`
}

// WithDefaults fills in what is zero.
func (c BreakerConfig) WithDefaults() BreakerConfig {
	c.MinRequests = cmp.Or(c.MinRequests, BreakerMinRequests)
	c.FailPercent = cmp.Or(c.FailPercent, BreakerFailPercent)
	c.Sleep = cmp.Or(c.Sleep, BreakerSleep)
	c.Window = cmp.Or(c.Window, BreakerWindow)
	return c
}

// Validate says what is wrong, and what would be right.
func (c BreakerConfig) Validate() error {
	var errs []error
	if c.MinRequests < 1 {
		errs = append(errs, fmt.Errorf("min_requests %d must be at least 1: Hystrix's is %d", c.MinRequests, BreakerMinRequests))
	}
	if c.FailPercent < 1 || c.FailPercent > 100 {
		errs = append(errs, fmt.Errorf("fail_percent %d must be from 1 to 100: Hystrix's is %d", c.FailPercent, BreakerFailPercent))
	}
	if c.Sleep <= 0 {
		errs = append(errs, fmt.Errorf("sleep %v must be positive: Hystrix's is %v", c.Sleep, BreakerSleep))
	}
	if c.Window < minWindow {
		errs = append(errs, fmt.Errorf("window %v must be at least %v: Hystrix's is %v", c.Window, minWindow, BreakerWindow))
	}
	return errors.Join(errs...)
}

// breaker refuses everything for a while once half of the requests fail, then
// lets one through to see. It is here as the bad example, to be measured
// against what judges instances: when two of three instances are gone it cuts
// off the third, which is well, and a failing method takes the others of its
// service along. Between all and nothing it knows nothing.
//
// As in Hystrix, the first request to end while one is being let through
// decides, though it may have begun before.
type breaker struct {
	config BreakerConfig
	counts window.Counts
	open   bool
	trial  bool // open, and the one request is under way
	until  time.Time
}

func newBreaker(c BreakerConfig) *breaker {
	return &breaker{config: c, counts: window.NewCounts(c.Window)}
}

func (b *breaker) Admit(now time.Time, _ *rand.Rand, _ Criticality) bool {
	if !b.open {
		return true
	}
	if b.trial || now.Before(b.until) {
		return false
	}
	b.trial = true
	return true
}

func (b *breaker) Done(now time.Time, _ time.Duration, o Outcome) {
	if b.open && !b.trial {
		return // it began before
	}
	switch {
	case o == Ignored:
		b.trial = false // the next request decides instead
	case b.trial && o == Answered:
		b.open, b.trial = false, false
		b.counts.Reset()
	case b.trial:
		b.trip(now)
	case o == Answered:
		b.counts.Add(now, 1, 0)
	default:
		b.counts.Add(now, 0, 1)
		good, bad := b.counts.Sum(now)
		if good+bad >= b.config.MinRequests && bad*100 >= b.config.FailPercent*(good+bad) {
			b.trip(now)
		}
	}
}

func (b *breaker) trip(now time.Time) {
	b.open, b.trial = true, false
	b.until = now.Add(b.config.Sleep)
}

func (b *breaker) Pressure(now time.Time) float64 {
	if b.open && (b.trial || now.Before(b.until)) {
		return 1
	}
	return 0
}
