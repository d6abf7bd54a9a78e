package fault

import (
	"context"
	"fmt"
)

var routerRestart = Kind{
	Name:      "router-restart",
	About:     "a node's router is restarted; whether it comes back depends on what it needs to start",
	Momentary: true,
	Targets:   Victims.Routers,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		r := &restartedRouter{victims: v, node: target, ran: v.RouterRuns(target), before: v.RouterIncarnation(target)}
		if err := v.RestartRouter(ctx, target); err != nil {
			return nil, fmt.Errorf("restart the router of %s: %w", target, err)
		}
		return r, nil
	},
}

// restartedRouter proves a restart by the death of the router that ran or, if
// none did, by one that runs now. A router that is made before the old one is
// broken is counted once it has taken over, which may be later than the
// restart that asked for it.
type restartedRouter struct {
	victims Victims
	node    string
	ran     bool // before
	before  int64
}

func (r *restartedRouter) Clear(context.Context) error { return nil }

func (r *restartedRouter) Proof() Proof {
	now, runs := r.victims.RouterIncarnation(r.node), r.victims.RouterRuns(r.node)
	p := Proof{Count: now - r.before}
	if !r.ran && runs {
		p.Count = max(p.Count, 1)
	}
	p.Evidence = fmt.Sprintf("router of %s was incarnation %d, %s; is %d, %s",
		r.node, r.before, running(r.ran), now, running(runs))
	return p
}

func running(is bool) string {
	if is {
		return "running"
	}
	return "down"
}
