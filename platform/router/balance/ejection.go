package balance

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Constants of outlier ejection: Envoy's outlier_detection defaults
// (consecutive_5xx 5, base_ejection_time 30 s, max_ejection_time 300 s,
// max_ejection_percent 10, interval 10 s).
const (
	EjectAfter      = 5
	EjectBase       = 30 * time.Second
	EjectMax        = 300 * time.Second
	EjectMaxPercent = 10
	ejectInterval   = 10 * time.Second
)

// EjectionConfig is what an arm chooses. An endpoint is ejected after
// Consecutive failures in a row, for Base × the number of times it has been
// ejected, at most Max; never more than MaxPercent of the service's endpoints
// at once. When fewer than PanicPercent are left, all are used: a service
// that is mostly ejected is more likely overloaded, or the ejector wrong.
type EjectionConfig struct {
	Consecutive  int           `yaml:"consecutive"`
	Base         time.Duration `yaml:"base"`
	Max          time.Duration `yaml:"max"`
	MaxPercent   int           `yaml:"max_percent"`
	PanicPercent int           `yaml:"panic_percent"`

	// AtLeastOne lets one endpoint be out whatever MaxPercent says: 10 % of
	// three is none (Envoy, always_eject_one_host, off by default).
	AtLeastOne bool `yaml:"at_least_one"`

	// SuccessRate also ejects those whose success rate stands out; nil is off.
	SuccessRate *SuccessRateConfig `yaml:"success_rate"`
}

// WithDefaults fills in what is zero; PanicPercent 0 stays, and never panics.
func (c EjectionConfig) WithDefaults() EjectionConfig {
	c.Consecutive = cmp.Or(c.Consecutive, EjectAfter)
	c.Base = cmp.Or(c.Base, EjectBase)
	c.Max = cmp.Or(c.Max, max(c.Base, EjectMax))
	c.MaxPercent = cmp.Or(c.MaxPercent, EjectMaxPercent)
	c.SuccessRate = filled(c.SuccessRate)
	return c
}

// Validate says what is wrong, and what would be right.
func (c EjectionConfig) Validate() error {
	var errs []error
	if c.Consecutive < 1 {
		errs = append(errs, fmt.Errorf("consecutive %d must be at least 1: Envoy's is %d", c.Consecutive, EjectAfter))
	}
	if c.Base <= 0 || c.Max < c.Base {
		errs = append(errs, fmt.Errorf("base %v must be positive and max %v no less: Envoy's are %v and %v", c.Base, c.Max, EjectBase, EjectMax))
	}
	if min(c.MaxPercent, c.PanicPercent) < 0 || max(c.MaxPercent, c.PanicPercent) > 100 {
		errs = append(errs, fmt.Errorf("max_percent %d or panic_percent %d is not a percentage, from 0 to 100", c.MaxPercent, c.PanicPercent))
	}
	return errors.Join(append(errs, checked("success_rate", c.SuccessRate))...)
}

// Ejector takes endpoints of one service that keep failing out of rotation.
type Ejector struct {
	config  EjectionConfig
	record  map[string]*outlier
	until   time.Time // nobody is out from then on
	sweptAt time.Time
}

type outlier struct {
	failures int // in a row
	ejected  int // times, less one for every ejectInterval in good standing
	until    time.Time

	good, bad int // since the last sweep, if it looks at success rates
}

// NewEjector returns an ejector for one service.
func NewEjector(c EjectionConfig) *Ejector {
	return &Ejector{config: c, record: map[string]*outlier{}}
}

// Observe notes how an attempt at an endpoint ended; size is how many
// endpoints the service has. It reports whether this ejected the endpoint.
func (e *Ejector) Observe(now time.Time, id string, ok bool, size int) bool {
	o := e.record[id]
	if o == nil {
		if ok && e.config.SuccessRate == nil {
			return false // the usual case costs one look
		}
		o = &outlier{}
		e.record[id] = o
	}
	if now.Before(o.until) {
		return false // it ends what began before; it has had no new chance yet
	}
	if ok {
		o.failures = 0
		o.good++
		return false
	}
	o.failures++
	o.bad++
	return o.failures >= e.config.Consecutive && e.eject(now, o, size)
}

// eject takes an endpoint out unless too many are.
func (e *Ejector) eject(now time.Time, o *outlier, size int) bool {
	out := e.Ejected(now)
	first := out == 0 && e.config.AtLeastOne
	if !first && (out+1)*100 > e.config.MaxPercent*size {
		return false
	}
	o.forgive(now)
	o.ejected++
	o.failures = 0
	o.until = now.Add(min(e.config.Base*time.Duration(o.ejected), e.config.Max))
	if o.until.After(e.until) {
		e.until = o.until
	}
	return true
}

// forgive lowers the count for the time spent back in rotation, as Envoy does
// once an interval.
func (o *outlier) forgive(now time.Time) {
	if o.ejected > 0 {
		o.ejected = max(0, o.ejected-int(now.Sub(o.until)/ejectInterval))
	}
}

// Ejected counts the endpoints out of rotation now.
func (e *Ejector) Ejected(now time.Time) int {
	n := 0
	for _, o := range e.record {
		if now.Before(o.until) {
			n++
		}
	}
	return n
}

// Mark sets Healthy to false on the ejected endpoints, unless that would
// leave fewer than PanicPercent of them healthy.
func (e *Ejector) Mark(now time.Time, endpoints []Endpoint) {
	if !now.Before(e.until) {
		return
	}
	out, healthy := 0, 0
	for i := range endpoints {
		if e.isOut(now, endpoints[i].ID) {
			out++
		} else if endpoints[i].Healthy {
			healthy++
		}
	}
	if out == 0 || healthy*100 < e.config.PanicPercent*len(endpoints) {
		return
	}
	for i := range endpoints {
		if e.isOut(now, endpoints[i].ID) {
			endpoints[i].Healthy = false
		}
	}
}

func (e *Ejector) isOut(now time.Time, id string) bool {
	o := e.record[id]
	return o != nil && now.Before(o.until)
}

// Forget drops what is known of an endpoint that left the table.
func (e *Ejector) Forget(id string) { delete(e.record, id) }

// Until returns when the last of the ejected endpoints may be back: from then
// on Mark has nothing to say.
func (e *Ejector) Until() time.Time { return e.until }
