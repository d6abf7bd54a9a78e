package balance

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Constants of ejection by success rate: Envoy's outlier_detection defaults
// (success_rate_minimum_hosts 5, success_rate_request_volume 100,
// success_rate_stdev_factor 1900, in thousandths).
const (
	EjectMinEndpoints = 5
	EjectMinRequests  = 100
	EjectStdevFactor  = 1.9
)

// SuccessRateConfig ejects an endpoint that fails now and then, and so never
// Consecutive times in a row, but much more often than the others: its success
// rate of the last 10 s is below
//
//	mean − StdevFactor × standard deviation
//
// of those endpoints that had MinRequests, where there are MinEndpoints of
// them.
type SuccessRateConfig struct {
	MinEndpoints int     `yaml:"min_endpoints"`
	MinRequests  int     `yaml:"min_requests"`
	StdevFactor  float64 `yaml:"stdev_factor"`
}

// WithDefaults fills in what is zero.
func (c SuccessRateConfig) WithDefaults() SuccessRateConfig {
	c.MinEndpoints = cmp.Or(c.MinEndpoints, EjectMinEndpoints)
	c.MinRequests = cmp.Or(c.MinRequests, EjectMinRequests)
	c.StdevFactor = cmp.Or(c.StdevFactor, EjectStdevFactor)
	return c
}

// Validate says what is wrong, and what would be right.
func (c SuccessRateConfig) Validate() error {
	var errs []error
	if c.MinEndpoints < 2 {
		errs = append(errs, fmt.Errorf("min_endpoints %d must be at least 2, for one stands out from nothing: Envoy's is %d", c.MinEndpoints, EjectMinEndpoints))
	}
	if c.MinRequests < 1 {
		errs = append(errs, fmt.Errorf("min_requests %d must be at least 1: Envoy's is %d", c.MinRequests, EjectMinRequests))
	}
	if !(c.StdevFactor > 0) {
		errs = append(errs, fmt.Errorf("stdev_factor %v must be positive: Envoy's is %v", c.StdevFactor, EjectStdevFactor))
	}
	return errors.Join(errs...)
}

// candidate is an endpoint that had enough requests to be judged.
type candidate struct {
	id   string
	rate float64
}

// Sweep looks at the success rates once every 10 s and returns whom it
// ejected, the worst first. In between, and when it is off, it returns nil at
// once, so the owner may call it at the end of every attempt.
func (e *Ejector) Sweep(now time.Time, size int) []string {
	if e.config.SuccessRate == nil {
		return nil
	}
	if e.sweptAt.IsZero() {
		e.sweptAt = now
	}
	if now.Sub(e.sweptAt) < ejectInterval {
		return nil
	}
	e.sweptAt = now
	var ejected []string
	for _, id := range standOut(e.rates(), *e.config.SuccessRate) {
		if o := e.record[id]; !now.Before(o.until) && e.eject(now, o, size) {
			ejected = append(ejected, id)
		}
	}
	return ejected
}

// rates returns who can be judged, the worst first, and begins a new interval.
func (e *Ejector) rates() []candidate {
	var all []candidate
	for _, id := range slices.Sorted(maps.Keys(e.record)) {
		o := e.record[id]
		if n := o.good + o.bad; n >= e.config.SuccessRate.MinRequests {
			all = append(all, candidate{id, float64(o.good) / float64(n)})
		}
		o.good, o.bad = 0, 0
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.rate, b.rate) })
	return all
}

// standOut returns the ids whose rate is below the threshold.
func standOut(all []candidate, c SuccessRateConfig) []string {
	if len(all) < c.MinEndpoints {
		return nil
	}
	var sum, squares float64
	for _, a := range all {
		sum += a.rate
	}
	mean := sum / float64(len(all))
	for _, a := range all {
		squares += (a.rate - mean) * (a.rate - mean)
	}
	threshold := mean - c.StdevFactor*math.Sqrt(squares/float64(len(all)))
	var ids []string
	for _, a := range all {
		if a.rate < threshold {
			ids = append(ids, a.id)
		}
	}
	return ids
}
