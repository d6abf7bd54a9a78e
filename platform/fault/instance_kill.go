package fault

import (
	"context"
	"fmt"
	"time"
)

// killLimit bounds how long a killed instance may hold on to a connection
// before the kill counts as failed.
const killLimit = 5 * time.Second

var instanceKill = Kind{
	Name:      "instance-kill",
	About:     "an instance ends as in a crash; another one is started in its place",
	Momentary: true,
	Targets:   Victims.Instances,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		// Once it is killed the platform has forgotten where it was.
		address, known := v.InstanceAddress(target)
		if !known {
			return nil, fmt.Errorf("no instance %s runs", target)
		}
		held, err := connectTo(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("instance %s does not serve as it is: %w", target, err)
		}
		defer held.Close()
		if err := v.KillInstance(ctx, target); err != nil {
			return nil, fmt.Errorf("kill instance %s: %w", target, err)
		}
		if err := held.ended(ctx, killLimit); err != nil {
			return nil, fmt.Errorf("instance %s holds its connections although it was killed: %w", target, err)
		}
		after := "a dial of it is refused"
		if !refuses(ctx, address) {
			after = "new ones are taken there, as at an address that outlives its instance"
		}
		return selfHealing{Proof{
			Count:    1,
			Evidence: fmt.Sprintf("%s answered at %s and dropped that connection when it was killed; now %s", target, address, after),
		}}, nil
	},
}
