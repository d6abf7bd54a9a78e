package balance

import "time"

// Constants of outlier ejection: Envoy's outlier_detection defaults
// (consecutive_5xx 5, base_ejection_time 30 s, max_ejection_time 300 s,
// max_ejection_percent 10, interval 10 s).
const (
	EjectAfter      = 5
	EjectBase       = 30 * time.Second
	EjectMax        = 300 * time.Second
	EjectMaxPercent = 10
	ejectForgives   = 10 * time.Second
)

// EjectionConfig is what an arm chooses. An endpoint is ejected after
// Consecutive failures in a row, for Base × the number of times it has been
// ejected, at most Max; never more than MaxPercent of the service's endpoints
// at once. When fewer than PanicPercent are left, all are used: a service
// that is mostly ejected is more likely overloaded, or the ejector wrong.
type EjectionConfig struct {
	Consecutive              int
	Base, Max                time.Duration
	MaxPercent, PanicPercent int
}

// Ejector takes endpoints of one service that keep failing out of rotation.
type Ejector struct {
	config EjectionConfig
	record map[string]*outlier
	until  time.Time // nobody is out from then on
}

type outlier struct {
	failures int
	ejected  int // times, less one for every ejectForgives in good standing
	until    time.Time
}

// NewEjector returns an ejector for one service.
func NewEjector(c EjectionConfig) *Ejector {
	return &Ejector{config: c, record: map[string]*outlier{}}
}

// Observe notes how an attempt at an endpoint ended; size is how many
// endpoints the service has. It reports whether this ejected the endpoint.
func (e *Ejector) Observe(now time.Time, id string, ok bool, size int) bool {
	o := e.record[id]
	if ok {
		if o != nil {
			o.failures = 0
		}
		return false
	}
	if o == nil {
		o = &outlier{}
		e.record[id] = o
	}
	if now.Before(o.until) {
		return false // it ends what began before; it has had no new chance yet
	}
	o.failures++
	if o.failures < e.config.Consecutive {
		return false
	}
	if (e.Ejected(now)+1)*100 > e.config.MaxPercent*size {
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
		o.ejected = max(0, o.ejected-int(now.Sub(o.until)/ejectForgives))
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
