package replay

import (
	"context"
	"fmt"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/transport"
)

// Load is one schedule as it is offered.
type Load struct {
	Targets  customers.Targets
	Schedule *loadgen.Schedule
	// Start is when its first second begins.
	Start time.Time
	Sink  loadgen.Sink
}

// offer is loadgen's own, over connections of the load's own. Where some of them
// cannot be made before it starts, it starts nevertheless, and its journeys show
// that.
func offer(ctx context.Context, runner loadgen.Runner, load Load) (loadgen.Summary, error) {
	connections, err := transport.NewWire(load.Targets.Config())
	if err != nil {
		return loadgen.Summary{}, err
	}
	defer connections.Close()
	settled, stop := context.WithDeadline(ctx, load.Start)
	_ = connections.Settle(settled)
	stop()
	runner.Transport = connections
	return runner.Run(ctx, load.Schedule, load.Start, load.Sink)
}

const (
	// connectLead is what a load gets for connecting before its first journey
	// is due.
	connectLead = 200 * time.Millisecond
	// stopGrace is how long journeys in flight may go on once a run is stopped.
	stopGrace = 500 * time.Millisecond
)

// offering is a load under way.
type offering struct {
	stop    context.CancelFunc
	done    chan struct{}
	summary loadgen.Summary
	err     error
}

// begin offers a load until its schedule ends or it is stopped.
func (p *play) begin(ctx context.Context, schedule *loadgen.Schedule, start time.Time) *offering {
	ctx, cancel := context.WithCancel(ctx)
	o := &offering{stop: cancel, done: make(chan struct{})}
	runner := loadgen.Runner{Origin: p.clock.zero, MaxInFlight: p.run.clients.maxInFlight}
	go func() {
		defer close(o.done)
		o.summary, o.err = p.run.opts.Offer(ctx, runner, Load{Targets: p.edges.targets, Schedule: schedule, Start: start, Sink: p.recorder})
		if o.err != nil {
			o.err = fmt.Errorf("offering the %s load: %w", schedule.Load, o.err)
			p.fail(o.err)
		}
	}()
	return o
}

// endLoad stops both loads, waits for what is in flight, each journey for its
// patience, and says when the last of it was decided. A run that is stopped does
// not wait so long: it kills the platform, which ends every journey.
func (p *play) endLoad(ctx context.Context) (endS float64) {
	loads := []*offering{p.warmup}
	if p.full != nil {
		loads = append(loads, p.full)
	}
	for _, load := range loads {
		load.stop()
	}
	if !ended(loads, ctx.Done()) {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		if !ended(loads, grace.Done()) {
			p.platform.Kill()
			ended(loads, nil)
		}
	}
	endS = p.clock.seconds(time.Now())
	if n := len(p.spans); n > 0 {
		p.spans[n-1].ToS = endS
	}
	return endS
}

// ended waits until the loads have; false when it was cut short before.
func ended(loads []*offering, cut <-chan struct{}) bool {
	for _, load := range loads {
		select {
		case <-load.done:
		case <-cut:
			return false
		}
	}
	return true
}
