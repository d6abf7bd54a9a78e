// Package sim plays a service and its callers in virtual time, with the
// router's own balancing code.
//
//	arrivals ──▶ router 1 ─┐  strategy, ejector  ┌─▶ instance 1  ▢▢▢ ⟳
//	(Poisson) ─▶ router 2 ─┼─ and fail-fast of ──┼─▶ instance 2  ▢ ⟳
//	          ─▶ …        ─┘  each its own       └─▶ …           queue, workers
//
// Each router has a strategy of its own, as in reality: none sees what the
// others have sent. What the strategies are told is what a router tells them
// (balance.Sent, Done, Gone, Probed), at the moment at which it would.
//
// The package is pure: a run is a function of model, scenario, strategy and
// seed, without clock, goroutine or global state. Arrivals, their routers, work
// and keys are drawn from a stream of their own, so that the same seed puts
// the same requests to every strategy.
//
// Left out are the network's delay and its loss, the cost of a router's own
// work, retries and hedging: what a strategy cannot do shows as a failure.
package sim

import (
	"context"
	"time"

	"breakbank/platform/router/balance"
)

// Outcome is what one run did.
type Outcome struct {
	// Ends counts requests by how they ended; their sum is Arrived.
	Ends    [Fates]int
	Arrived int
	// Buckets follow each other from zero, BucketLength each.
	Buckets []Bucket
	// EqualShare is the part of the service that the watched instances are.
	EqualShare float64
	// Loads is the requests that each instance got in the measured window,
	// for its capacity; only instances that were there and alive throughout.
	Loads []float64
}

// Run plays a scenario once. It ends early, with the context's error, when the
// context is done; otherwise after Scenario.Length and what was then under way.
func Run(ctx context.Context, m Model, s Scenario, kind balance.StrategyKind, seed uint64) (*Outcome, error) {
	w := newWorld(m, s, kind, seed)
	if err := w.play(ctx); err != nil {
		return nil, err
	}
	return w.outcome(), nil
}

// epoch is zero of virtual time, as strategies see it: any moment that is not
// time.Time's zero, which some take for "never".
var epoch = time.Unix(1_500_000_000, 0).UTC()
