package balance

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Constants of connect fail-fast (Finagle, FailFastFactory: 1, 2, 4, 8, 16 and
// then 32 s).
const (
	FailFastMin = time.Second
	FailFastMax = 32 * time.Second
)

// FailFastConfig is for how long an address that took no connection is left
// alone: Min, doubling with each further refusal to Max.
type FailFastConfig struct {
	Min time.Duration `yaml:"min"`
	Max time.Duration `yaml:"max"`
}

// WithDefaults fills in what is zero.
func (c FailFastConfig) WithDefaults() FailFastConfig {
	c.Min = cmp.Or(c.Min, FailFastMin)
	c.Max = cmp.Or(c.Max, max(c.Min, FailFastMax))
	return c
}

// Validate says what is wrong, and what would be right.
func (c FailFastConfig) Validate() error {
	var errs []error
	if c.Min <= 0 {
		errs = append(errs, fmt.Errorf("min %v must be positive: Finagle's is %v", c.Min, FailFastMin))
	}
	if c.Max < c.Min {
		errs = append(errs, fmt.Errorf("max %v must be at least min, %v: Finagle's is %v", c.Max, c.Min, FailFastMax))
	}
	return errors.Join(errs...)
}

// FailFast is what one endpoint's refused connections come to. The zero value
// is an endpoint that never refused one.
type FailFast struct {
	failures int // in a row; it stops where the time reaches its maximum
	until    time.Time
}

// Unreachable notes that the address took no connection. What fails while it
// is left alone was begun before, and is still the same failure.
func (f *FailFast) Unreachable(now time.Time, c FailFastConfig) {
	if f.Skipped(now) {
		return
	}
	skip := c.Min << f.failures
	if skip >= c.Max || skip <= 0 {
		skip = c.Max
	} else {
		f.failures++
	}
	f.until = now.Add(skip)
}

// Reached notes that it took one.
func (f *FailFast) Reached() { *f = FailFast{} }

// Skipped says whether the endpoint should be left alone now.
func (f *FailFast) Skipped(now time.Time) bool { return now.Before(f.until) }

// Until is when it may be tried again, for an endpoint that is skipped.
func (f *FailFast) Until() time.Time { return f.until }
