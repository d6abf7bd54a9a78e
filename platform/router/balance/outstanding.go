package balance

import "time"

// outstanding measures load as this caller's requests under way, for the
// endpoint's weight (Envoy least_request, gRFC A48: active requests). It
// cannot see what other callers have sent, and an instance that fails at once
// looks idle to it.
type outstanding struct {
	count map[string]*int
}

func newOutstanding() *outstanding { return &outstanding{count: map[string]*int{}} }

func (o *outstanding) Load(_ time.Time, e *Endpoint) float64 {
	n := o.count[e.ID]
	if n == nil {
		return 0
	}
	return float64(*n) / e.weight()
}

func (o *outstanding) Observe(e Event) {
	n := o.count[e.ID]
	switch e.Kind {
	case Sent:
		if n == nil {
			n = new(int)
			o.count[e.ID] = n
		}
		*n++
	case Done:
		// An attempt may end after its endpoint has left the table.
		if n != nil && *n > 0 {
			*n--
		}
	case Gone:
		delete(o.count, e.ID)
	case Probed:
	}
}
