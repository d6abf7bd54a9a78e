package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"breakbank/bench/machine"
)

// measured is everything that a run has seen.
type measured struct {
	samples map[string][]sample // by kind, one a block
	floods  map[string]sample
	stopped error
}

// Run measures. It returns what was measured so far, marked partial, when ctx
// ends.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.kinds == nil {
		o.kinds = kinds
	}
	environment := machine.Describe(time.Now(), o.Flags)
	dir, err := os.MkdirTemp("", "breakbank-discovery-")
	if err != nil {
		return nil, fmt.Errorf("directory for snapshots: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o.say("starting etcd ×%d and API servers ×%d in a process of their own", members, members)
	c, err := startChild(ctx, o.Self())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.do(ctx, order{Fill: &fill{Services: o.Services, Endpoints: o.Endpoints}}); err != nil {
		return nil, err
	}
	r := &run{options: o, child: c, dir: dir}
	m := r.all(ctx)
	if m.stopped != nil && ctx.Err() == nil {
		return nil, m.stopped
	}
	return conclude(o, m, environment), nil
}

// all runs the blocks and then the flood.
func (r *run) all(ctx context.Context) measured {
	o := r.options
	m := measured{samples: map[string][]sample{}, floods: map[string]sample{}}
	rng := rand.New(rand.NewPCG(o.Seed, 2))
	for block := range o.Blocks {
		for _, i := range rng.Perm(len(o.kinds)) {
			k := o.kinds[i]
			o.say("block %d of %d: %d × %s", block+1, o.Blocks, o.Routers, k.name)
			s, err := r.measure(ctx, k, o.Routers, change{PerS: o.ChangesPerS, Duration: o.Duration, Seed: rng.Uint64()})
			if err != nil {
				m.stopped = err
				return m
			}
			m.samples[k.name] = append(m.samples[k.name], s)
		}
	}
	if o.Flood == 0 {
		return m
	}
	for _, i := range rng.Perm(len(o.kinds)) {
		k := o.kinds[i]
		o.say("flood: %d changes a second to %d × %s", floodChanges, floodRouters, k.name)
		s, err := r.measure(ctx, k, floodRouters, change{PerS: floodChanges, Duration: o.Flood, Seed: rng.Uint64()})
		if err != nil {
			m.stopped = err
			return m
		}
		m.floods[k.name] = s
	}
	return m
}
