package balance

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// Constants of slow start. Envoy's SlowStartConfig has aggression 1 and
// min_weight_percent 10 by default, and no window: 30 s is ours, some times
// what a process needs to fill its caches and compile its hot paths.
const (
	SlowStartWindow     = 30 * time.Second
	SlowStartAggression = 1.0
	SlowStartMinWeight  = 0.1
)

// SlowStartConfig says how an endpoint that has just joined is loaded.
type SlowStartConfig struct {
	// Window is after what time it takes its full share.
	Window time.Duration `yaml:"window"`
	// Aggression bends the way there: 1 is a straight line, more rises
	// sooner, less later.
	Aggression float64 `yaml:"aggression"`
	// MinWeight is the share it starts with, of a full one.
	MinWeight float64 `yaml:"min_weight"`
}

// WithDefaults fills in what is zero.
func (c SlowStartConfig) WithDefaults() SlowStartConfig {
	c.Window = cmp.Or(c.Window, SlowStartWindow)
	c.Aggression = cmp.Or(c.Aggression, SlowStartAggression)
	c.MinWeight = cmp.Or(c.MinWeight, SlowStartMinWeight)
	return c
}

// Validate says what is wrong, and what would be right.
func (c SlowStartConfig) Validate() error {
	var errs []error
	if c.Window <= 0 {
		errs = append(errs, fmt.Errorf("window %v must be positive, such as %v", c.Window, SlowStartWindow))
	}
	if !(c.Aggression > 0) || math.IsInf(c.Aggression, 0) {
		errs = append(errs, fmt.Errorf("aggression %v must be positive: 1 is a straight line", c.Aggression))
	}
	if !(c.MinWeight > 0 && c.MinWeight <= 1) {
		errs = append(errs, fmt.Errorf("min_weight %v must be above 0 and at most 1: Envoy's is %v", c.MinWeight, SlowStartMinWeight))
	}
	return errors.Join(errs...)
}

// Weight is the share of a full one, for Endpoint.Weight, of an endpoint that
// joined age ago (Envoy, slow start mode):
//
//	max(minWeight, (age / window)^(1/aggression))
//
// Envoy counts the first second as a whole one; here min_weight alone keeps a
// new endpoint from being left out.
func (c SlowStartConfig) Weight(age time.Duration) float64 {
	if age >= c.Window {
		return 1
	}
	grown := math.Pow(float64(max(age, 0))/float64(c.Window), 1/c.Aggression)
	return min(1, max(c.MinWeight, grown))
}
