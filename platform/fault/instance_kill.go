package fault

import (
	"context"
	"fmt"
	"time"
)

// killLimit bounds how long a killed instance may go on serving before the
// kill counts as failed.
const killLimit = 5 * time.Second

var instanceKill = Kind{
	Name:    "instance-kill",
	About:   "an instance ends as in a crash; another one is started in its place",
	Targets: Victims.Instances,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		if !v.InstanceServes(ctx, target) {
			return nil, fmt.Errorf("instance %s does not serve as it is", target)
		}
		if err := v.KillInstance(ctx, target); err != nil {
			return nil, fmt.Errorf("kill instance %s: %w", target, err)
		}
		err := until(ctx, killLimit, func() bool { return !v.InstanceServes(ctx, target) })
		if err != nil {
			return nil, fmt.Errorf("instance %s serves although it was killed: %w", target, err)
		}
		return selfHealing{Proof{Count: 1, Evidence: target + " served before, and serves no more"}}, nil
	},
}
