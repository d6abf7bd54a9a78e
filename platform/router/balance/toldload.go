package balance

import "time"

// toldLoad measures load as requests under way at the instance from all
// callers, as far as anybody says: what the instance last reported (with a
// response or a probe), corrected by what this caller has sent and seen ended
// since. Told nothing, it counts its own. A simulator that tells it every
// endpoint's true count makes of it the oracle that no real caller can be.
type toldLoad struct {
	endpoints map[string]*told
}

type told struct{ own, inFlight int }

func newToldLoad() *toldLoad { return &toldLoad{endpoints: map[string]*told{}} }

func (t *toldLoad) Load(_ time.Time, e *Endpoint) float64 {
	o := t.endpoints[e.ID]
	if o == nil {
		return 0
	}
	// An instance cannot hold less than what this caller has there.
	return float64(max(o.own, o.inFlight)) / e.weight()
}

func (t *toldLoad) Observe(e Event) {
	if e.Kind == Gone {
		delete(t.endpoints, e.ID)
		return
	}
	o := t.endpoints[e.ID]
	if o == nil {
		if e.Kind == Done {
			return // it ended after its endpoint had left the table
		}
		o = &told{}
		t.endpoints[e.ID] = o
	}
	switch e.Kind {
	case Sent:
		o.own++
		o.inFlight++
	case Done:
		o.own = max(0, o.own-1)
		o.inFlight = max(0, o.inFlight-1)
	case Probed, Gone:
	}
	if e.Load != nil {
		o.inFlight = e.Load.InFlight
	}
}
