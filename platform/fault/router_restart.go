package fault

import (
	"context"
	"fmt"
)

var routerRestart = Kind{
	Name:    "router-restart",
	About:   "a node's router is restarted; whether it comes back depends on what it needs to start",
	Targets: Victims.Routers,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		before := v.RouterIncarnation(target)
		if err := v.RestartRouter(ctx, target); err != nil {
			return nil, fmt.Errorf("restart the router of %s: %w", target, err)
		}
		return &restarted{what: "router of " + target, before: before, incarnation: func() int64 { return v.RouterIncarnation(target) }}, nil
	},
}

// restarted proves a restart by the count of starts. A router that is made
// before the old one is broken is counted once it has taken over, which may
// be later than the restart that asked for it.
type restarted struct {
	what        string
	before      int64
	incarnation func() int64
}

func (r *restarted) Clear(context.Context) error { return nil }

func (r *restarted) Proof() Proof {
	now := r.incarnation()
	return Proof{
		Count:    now - r.before,
		Evidence: fmt.Sprintf("%s was incarnation %d, is %d", r.what, r.before, now),
	}
}
