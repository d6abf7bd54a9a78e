package fault

import (
	"context"
	"fmt"
)

var apiServerRestart = Kind{
	Name:      "apiserver-restart",
	About:     "an API server drops all connections and starts afresh at its address, with empty caches",
	Momentary: true,
	Targets:   Victims.APIServers,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		before := v.APIServerIncarnation(target)
		if err := v.RestartAPIServer(ctx, target); err != nil {
			return nil, fmt.Errorf("restart %s: %w", target, err)
		}
		now := v.APIServerIncarnation(target)
		return selfHealing{Proof{
			Count:    now - before,
			Evidence: fmt.Sprintf("%s was incarnation %d, is %d", target, before, now),
		}}, nil
	},
}
