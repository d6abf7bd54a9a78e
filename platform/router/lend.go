package router

import (
	"context"
	"time"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// What a data plane that is not a router takes from here, so that all are
// judged by one yardstick, ask instances one question and know as much of them.

// RouteOf says what a table in such a state stands for, and how old that is.
func RouteOf(s discovery.State, now time.Time) (rpc.Route, time.Duration) {
	from, age := route(&s, now)
	return from, max(0, age)
}

// Alive asks the instance at an address whether it is the one that the table
// names, and serves. It ends with ctx.
func Alive(ctx context.Context, service string, e discovery.Endpoint) bool {
	return alive(ctx, service, e)
}

// GoesByZones says whether a strategy, by its name, wants to know where instances
// are.
func GoesByZones(strategy string) bool {
	s, err := balance.New(strategy)
	_, zoned := s.(balance.Zoned)
	return err == nil && zoned
}
