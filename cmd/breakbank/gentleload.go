package main

import (
	"context"
	"time"

	"breakbank/bench/gentle"
	"breakbank/loadgen/customers"
	"breakbank/platform/cluster"
)

// gentleLoad is the role load of a platform.
func gentleLoad(ctx context.Context, l cluster.LoadTask) error {
	return gentle.Run(ctx, gentle.Config{
		RatePerS: l.RatePerS, Registerer: l.Registerer, Log: l.Log,
		Targets: customers.Targets{CardNet: l.Edges("cardnet"), FPS: l.Edges("fps"), Gateway: l.Edges("gateway")},
		// The bank remembers the keys of payments; those of the last life must
		// not come again.
		Seed: uint64(time.Now().UnixNano()),
	})
}
