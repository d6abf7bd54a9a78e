package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/peers/comparison"
	"breakbank/bench/peers/process"
	"breakbank/platform/ports"
)

// WindowMin is the shortest window that can be asked for.
const WindowMin = 50 * time.Millisecond

// How a run goes unless something else is asked for. The whole of it takes about
// six minutes; quick, with half of the cases, a little over one.
const (
	DefaultBlocks = 6
	DefaultWindow = 700 * time.Millisecond
	QuickBlocks   = 3
	QuickWindow   = 300 * time.Millisecond
)

// startTime is what a process takes to come up and go, on average.
const startTime = 250 * time.Millisecond

// Options say what to run.
type Options struct {
	comparison.Plan
	Generators []Generator
	Cases      []Case
}

// Expected is how long the run takes, about.
func (o Options) Expected() time.Duration {
	each := startTime
	for _, of := range o.Cases {
		for _, g := range o.Generators {
			if g.suits(of) {
				each += o.cell(of)
			}
		}
	}
	return o.searching() + time.Duration(o.Blocks)*each
}

// cell is how long one takes.
func (o Options) cell(of Case) time.Duration {
	if of.Kind == Truth {
		return 2*startTime + of.lasts()
	}
	return startTime + max(settleMin, o.Window/settleShare) + o.Window + tailTime
}

// Check refuses what cannot be run.
func (o Options) Check() error {
	if err := o.Plan.Check(WindowMin); err != nil {
		return err
	}
	if len(o.Generators) == 0 || len(o.Cases) == 0 {
		return errors.New("nothing to measure")
	}
	return nil
}

// Run measures. When ctx ends it stops and returns what was measured, marked
// partial. No process that it started outlives it.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	started := time.Now()
	ctx, cancel := comparison.Bounded(ctx, o.Expected())
	defer cancel()
	here, versions, missing := Installed(o.Generators)
	r := &runner{options: o, missing: missing, table: newTable()}
	err := onBed(o.Self, func(b *bed) error {
		if err := r.tryRates(ctx, b, here); err != nil {
			return err
		}
		return r.blocks(ctx, b, here)
	})
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return conclude(o, r, comparison.Environment{Environment: machine.Describe(started, o.Flags), Versions: versions}, context.Cause(ctx)), nil
}

// onBed does something on a bed that is tidied up afterwards.
func onBed(self func(args ...string) *exec.Cmd, do func(*bed) error) error {
	if _, err := process.Self(); err != nil {
		return err
	}
	return comparison.InDirectory("the generators", func(dir string) error {
		files, err := writeFiles(dir)
		if err != nil {
			return err
		}
		return do(&bed{self: self, ports: ports.New(), dir: dir, files: files})
	})
}

// runner is a run under way.
type runner struct {
	options Options
	table   *table
	missing []Missing
	// openPerS is what our open loop is asked for in the cases of Saturation.
	openPerS map[string]float64
	// spoiled are cells of which a sample could not be taken, and why.
	spoiled []string
	left    time.Duration // as planned
}

// blocks runs all of them.
func (r *runner) blocks(ctx context.Context, b *bed, here []Generator) error {
	each := (r.options.Expected() - r.options.searching()) / time.Duration(r.options.Blocks)
	for number := range r.options.Blocks {
		r.left = time.Duration(r.options.Blocks-number) * each
		if err := r.block(ctx, b, number, here); err != nil {
			return err
		}
	}
	return nil
}

// block measures every cell once. Case by case: generators are compared within a
// case, so they are measured next to each other in time.
func (r *runner) block(ctx context.Context, b *bed, number int, here []Generator) error {
	r.options.Say(number, "starting a server afresh", r.left)
	s, err := b.serve(ctx, "")
	if err != nil {
		return err
	}
	defer s.child.Kill()
	rng := rand.New(rand.NewPCG(r.options.Seed, uint64(number)))
	for _, i := range rng.Perm(len(r.options.Cases)) {
		of := r.options.Cases[i]
		r.options.Say(number, of.Name, r.left)
		seed := rng.Uint64()
		for _, g := range inOrder(of, here, rng) {
			out, err := r.measure(ctx, b, s, number, of, g, seed)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				r.spoiled = append(r.spoiled, err.Error())
			default:
				out.block = number
				r.table.add(out)
			}
			r.left -= r.options.cell(of)
		}
	}
	return nil
}

// measure takes one sample.
func (r *runner) measure(ctx context.Context, b *bed, s *server, number int, of Case, g Generator, seed uint64) (sample, error) {
	if of.Kind == Truth {
		return b.truth(ctx, of, g, seed)
	}
	perS := of.RatePerS
	if of.Kind == Saturation && g.Name == breakbank {
		if perS = r.openPerS[of.Name]; perS == 0 {
			return sample{}, fmt.Errorf("measure %s: it kept up with no rate", cell{of.Name, g.Name})
		}
	}
	return b.cost(ctx, s, of, g, perS, r.options.Window, seed)
}

// inOrder draws the order of the generators that suit a case.
func inOrder(of Case, here []Generator, rng *rand.Rand) []Generator {
	var drawn []Generator
	for _, i := range rng.Perm(len(here)) {
		if here[i].suits(of) {
			drawn = append(drawn, here[i])
		}
	}
	return drawn
}
