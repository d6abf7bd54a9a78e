package peers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"breakbank/bench/machine"
	"breakbank/bench/peers/router/process"
	"breakbank/platform/ports"
)

// Bounds of what can be asked for.
const (
	BlocksMax = 200
	WindowMin = 20 * time.Millisecond
	WindowMax = time.Minute
)

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
	// overtime is how many times the expected a run may take, and a minute.
	overtime = 3
)

// Options say what to run.
type Options struct {
	// Self makes a command that is this program with other arguments.
	Self   func(args ...string) *exec.Cmd
	Peers  []Peer
	Cases  []Case
	Blocks int
	Window time.Duration
	Seed   uint64
	// Quick is said in the result: a run too short to decide anything by.
	Quick bool
	// Flags are said in the result: what the run was started with.
	Flags []string
	// Progress is told what goes on; nil for nobody.
	Progress func(Progress)
}

// Progress is what a run is about to do.
type Progress struct {
	Block, Blocks int
	// Doing is in words.
	Doing string
	// Left is the time until the end, as planned.
	Left time.Duration
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
	switch {
	case o.Blocks < 1 || o.Blocks > BlocksMax:
		return fmt.Errorf("%d blocks: there can be 1 to %d", o.Blocks, BlocksMax)
	case o.Window < WindowMin || o.Window > WindowMax:
		return fmt.Errorf("a window of %v: it can be %v to %v", o.Window, WindowMin, WindowMax)
	case len(o.Peers) == 0 || len(o.Cases) == 0:
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
	limit := overtime*o.Expected() + time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run took longer than %v", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "breakbank-peers-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the peers: %w", err)
	}
	here, versions, missing := Installed(o.Peers)
	r := &runner{
		options: o, missing: missing, table: newTable(),
		lineup: lineup{self: o.Self, threads: runtime.NumCPU(), ports: ports.New(), dir: dir},
	}
	err = errors.Join(os.Chmod(dir, dirMode), r.blocks(ctx, here))
	if gone := os.RemoveAll(dir); gone != nil {
		err = errors.Join(err, fmt.Errorf("remove the peers' directory: %w", gone))
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return conclude(o, r, Environment{
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
	r.say(t, "starting the peers afresh")
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
		r.say(t, of.Name)
		arrivals := [2]uint64{t.rng.Uint64(), t.rng.Uint64()}
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

// say reports progress.
func (r *runner) say(t *turn, doing string) {
	if r.options.Progress != nil {
		r.options.Progress(Progress{Block: t.number + 1, Blocks: r.options.Blocks, Doing: doing, Left: t.left})
	}
}

// without leaves out the peers that are missing.
func without(all []Peer, missing []Missing) []Peer {
	return slices.DeleteFunc(slices.Clone(all), func(p Peer) bool {
		return slices.ContainsFunc(missing, func(m Missing) bool { return m.Peer == p.Name })
	})
}
