package fault

import (
	"context"
	"fmt"
)

var apiServerRestart = Kind{
	Name:    "apiserver-restart",
	About:   "an API server drops all connections and starts afresh at its address, with empty caches",
	Targets: Victims.APIServers,
	Inject: func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error) {
		if err := onlyKnown(params); err != nil {
			return nil, err
		}
		before := v.APIServerIncarnation(target)
		if err := v.RestartAPIServer(ctx, target); err != nil {
			return nil, fmt.Errorf("restart %s: %w", target, err)
		}
		return &restarted{what: target, before: before, incarnation: func() int64 { return v.APIServerIncarnation(target) }}, nil
	},
}
