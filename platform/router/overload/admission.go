package overload

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"breakbank/platform/router/window"
)

// Constants of admission control: Site Reliability Engineering (Beyer et al.,
// 2016), chapter 21, client-side throttling, K = 2; go-zero's breaker, which is
// an implementation of it, takes K = 1.5, a window of 10 s where the book has
// two minutes, and lets 5 failures pass unpunished.
const (
	AdmissionK      = 2.0
	AdmissionWindow = 10 * time.Second
	admissionFree   = 5
)

// minWindow is the shortest window there may be: its slots, a tenth of it,
// must be long beside a request.
const minWindow = 100 * time.Millisecond

// AdmissionConfig is what an arm chooses: a service that accepts one request
// is offered K. A larger K learns of recovery sooner and wastes more.
type AdmissionConfig struct {
	K      float64       `yaml:"k"`
	Window time.Duration `yaml:"window"`
}

// WithDefaults fills in what is zero.
func (c AdmissionConfig) WithDefaults() AdmissionConfig {
	c.K = cmp.Or(c.K, AdmissionK)
	c.Window = cmp.Or(c.Window, AdmissionWindow)
	return c
}

// Validate says what is wrong, and what would be right.
func (c AdmissionConfig) Validate() error {
	var errs []error
	if !(c.K > 1) {
		errs = append(errs, fmt.Errorf("k %v must be above 1, or a service once overloaded is never offered more than it took then: the SRE book's is %v", c.K, AdmissionK))
	}
	if c.Window < minWindow {
		errs = append(errs, fmt.Errorf("window %v must be at least %v, such as %v", c.Window, minWindow, AdmissionWindow))
	}
	return errors.Join(errs...)
}

// admission refuses each request with probability
//
//	(requests − K × accepts − 5) / (requests + 1),   at least 0
//
// over the window, where requests are those that ended and those it refused.
// Those under way count when they end: otherwise a burst on a quiet service
// would be refused before its first answer.
type admission struct {
	config AdmissionConfig
	counts window.Counts // accepted; failed or refused here
}

func newAdmission(c AdmissionConfig) *admission {
	return &admission{config: c, counts: window.NewCounts(c.Window)}
}

func (a *admission) Admit(now time.Time, rng *rand.Rand, _ Criticality) bool {
	if p := a.Pressure(now); p > 0 && rng.Float64() < p {
		a.counts.Add(now, 0, 1)
		return false
	}
	return true
}

func (a *admission) Done(now time.Time, _ time.Duration, o Outcome) {
	switch o {
	case Answered:
		a.counts.Add(now, 1, 0)
	case Failed:
		a.counts.Add(now, 0, 1)
	case Ignored:
	}
}

// Pressure is the probability of a refusal.
func (a *admission) Pressure(now time.Time) float64 {
	accepts, others := a.counts.Sum(now)
	requests := float64(accepts + others)
	return max(0, (requests-a.config.K*float64(accepts)-admissionFree)/(requests+1))
}
