package peers

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/peers/comparison"
	"breakbank/bench/peers/process"
	"breakbank/platform/ports"
)

// WindowMin is the shortest window that can be asked for.
const WindowMin = 20 * time.Millisecond

// How a run goes unless something else is asked for. The whole of it, eight
// cases and seven peers, takes under five minutes; quick, with the small messages
// only, 40 s.
const (
	DefaultBlocks = 6
	DefaultWindow = 550 * time.Millisecond
	QuickBlocks   = 3
	QuickWindow   = 300 * time.Millisecond
)

const (
	// settleShare of a window is loaded before it: connections are made, windows
	// open, a garbage collector finds its pace.
	settleShare = 3
	// startTime is what all peers take to come up and go.
	startTime = 2 * time.Second
	// cellTime is what a cell takes beside its load: connecting, the last answers.
	cellTime = 15 * time.Millisecond
)

// Options say what to run.
type Options struct {
	comparison.Plan
	Peers []Peer
	Cases []Case
}

// timing of the run's cells.
func (o Options) timing() timing { return timing{settle: o.Window / settleShare, window: o.Window} }

// Expected is how long the run takes, about.
func (o Options) Expected() time.Duration { return time.Duration(o.Blocks) * o.block() }

func (o Options) block() time.Duration {
	return time.Duration(len(messageSizes(o.Cases)))*startTime + time.Duration(len(o.Peers)*len(o.Cases))*o.cell()
}

func (o Options) cell() time.Duration { return o.timing().settle + o.Window + cellTime }

// Check refuses what cannot be run.
func (o Options) Check() error {
	if err := o.Plan.Check(WindowMin); err != nil {
		return err
	}
	if len(o.Peers) == 0 || len(o.Cases) == 0 {
		return errors.New("nothing to measure")
	}
	return nil
}

// Installed divides peers into those whose program is on this machine, with the
// versions of other people's, and those that are missing.
func Installed(all []Peer) (here []Peer, versions map[string]string, missing []Missing) {
	versions = map[string]string{}
	for _, p := range all {
		if p.program == "" {
			here = append(here, p)
			continue
		}
		path, found := p.find()
		if !found {
			missing = append(missing, p.missing())
			continue
		}
		here = append(here, p)
		versions[p.Name] = p.version(path)
	}
	return here, versions, missing
}

// Run measures. When ctx ends it stops and returns what was measured, marked
// partial. No process that it started outlives it.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if _, err := process.Self(); err != nil {
		return nil, err
	}
	started := time.Now()
	ctx, cancel := comparison.Bounded(ctx, o.Expected())
	defer cancel()
	here, versions, missing := Installed(o.Peers)
	r := &runner{options: o, missing: missing, table: newTable()}
	err := comparison.InDirectory("the peers", func(dir string) error {
		r.lineup = lineup{self: o.Self, threads: runtime.NumCPU(), ports: ports.New(), dir: dir}
		return errors.Join(os.Chmod(dir, dirMode), r.blocks(ctx, here))
	})
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return conclude(o, r, comparison.Environment{
		Environment: machine.Describe(started, o.Flags), Versions: versions,
	}, context.Cause(ctx)), nil
}

// runner is a run under way.
type runner struct {
	options Options
	lineup  lineup
	table   *table
	missing []Missing
	// spoiled are cells of which a sample could not be taken, and why.
	spoiled []string
}

// blocks runs all of them. A peer that does not come up once is left out from
// then on.
func (r *runner) blocks(ctx context.Context, here []Peer) error {
	sizes := messageSizes(r.options.Cases)
	for number := range r.options.Blocks {
		rng := rand.New(rand.NewPCG(r.options.Seed, uint64(number)))
		left := time.Duration(r.options.Blocks-number) * r.options.block()
		for _, i := range rng.Perm(len(sizes)) {
			t := turn{number: number, messageBytes: sizes[i], rng: rng, left: left}
			var err error
			if here, err = r.turn(ctx, &t, here); err != nil {
				return err
			}
			left = t.left
		}
	}
	return nil
}

// turn is the part of a block with messages of one size.
type turn struct {
	number       int
	messageBytes int
	rng          *rand.Rand
	left         time.Duration // of the run, as planned
}

// turn starts the peers, measures every cell once and ends them. It returns the
// peers that came up.
func (r *runner) turn(ctx context.Context, t *turn, here []Peer) ([]Peer, error) {
	r.options.Say(t.number, "starting the peers afresh", t.left)
	b, missing, err := r.lineup.start(ctx, t.messageBytes, here)
	if err != nil {
		return nil, err
	}
	defer b.end()
	t.left -= startTime
	r.missing = append(r.missing, missing...)
	here = without(here, missing)
	// Case by case: peers are compared within a case, so they are measured next
	// to each other in time.
	for _, i := range t.rng.Perm(len(r.options.Cases)) {
		of := r.options.Cases[i]
		if of.messageBytes() != t.messageBytes {
			continue
		}
		r.options.Say(t.number, of.Name, t.left)
		arrivals := t.rng.Uint64()
		for _, k := range t.rng.Perm(len(here)) {
			s, err := b.measure(ctx, t.number, cell{of: of, peer: here[k].Name}, r.options.timing(), arrivals)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
				r.spoiled = append(r.spoiled, err.Error())
			default:
				r.table.add(s)
			}
			t.left -= r.options.cell()
		}
	}
	return here, nil
}

// without leaves out the peers that are missing.
func without(all []Peer, missing []Missing) []Peer {
	return slices.DeleteFunc(slices.Clone(all), func(p Peer) bool {
		return slices.ContainsFunc(missing, func(m Missing) bool { return m.Peer == p.Name })
	})
}
