// Package gentle is a load that never ends: a few journeys a second of the
// bank's customers, for a stack that somebody looks at while they break it. It
// keeps no records: what happened is counted in metrics, and failures are said
// in the log.
package gentle

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"breakbank/bench/load"
	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/pacer"
	"breakbank/loadgen/transport"
)

// spell is how much load is drawn at a time.
const spell = 10 * time.Minute

// RateMax bounds the rate: more is for the load generator proper, which also
// says whether it may be believed.
const RateMax = 100

// Config says what load.
type Config struct {
	// RatePerS is journeys a second, more than 0, at most RateMax.
	RatePerS float64
	Targets  customers.Targets
	// Seed makes the keys of this load's payments other than those of an
	// earlier one, which the bank remembers: it must be new each time.
	Seed       uint64
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Run makes the load until ctx ends, and then returns nil.
func Run(ctx context.Context, c Config) error {
	if !(c.RatePerS > 0) || c.RatePerS > RateMax {
		return fmt.Errorf("a gentle load is more than 0 and at most %d journeys a second, not %g", RateMax, c.RatePerS)
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return err
	}
	tr, err := transport.NewWire(c.Targets.Config())
	if err != nil {
		return fmt.Errorf("reach the bank: %w", err)
	}
	defer tr.Close()
	population := customers.Even{Customers: load.Everyone()}
	sink := loadgen.SinkFunc(func(r *loadgen.Record) {
		m.count(r)
		if r.Outcome == loadgen.Failed || r.Outcome == loadgen.Unknown {
			c.Log.Warn("journey", "journey", r.Name, "outcome", r.Outcome.String(), "code", r.Code, "error", r.Err)
		}
	})
	for seed := c.Seed; ctx.Err() == nil; seed++ {
		schedule, err := loadgen.Draw(loadgen.Plan{
			Seed: seed, Pacer: pacer.Poisson{PerS: c.RatePerS}, Duration: spell,
			Journeys: customers.Table(), Population: population,
		})
		if err != nil {
			return fmt.Errorf("draw the load: %w", err)
		}
		runner := loadgen.Runner{Transport: tr}
		if _, err := runner.Run(ctx, schedule, time.Now(), sink); err != nil {
			return fmt.Errorf("make the load: %w", err)
		}
	}
	return nil
}
