package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	peers "breakbank/bench/peers/router"
)

// peersCommand measures parts of breakbank next to what a user would pick
// instead.
type peersCommand struct {
	Router            peersRouterCommand            `cmd:"" help:"Measure the router next to HAProxy, nginx and Caddy: CPU a request and added latency."`
	Discovery         peersDiscoveryCommand         `cmd:"" help:"Measure how soon routers use what the registry knows, next to client-go's informer."`
	Echo              peersEchoCommand              `cmd:"" hidden:"" help:"Be the service behind the peers."`
	Relay             peersRelayCommand             `cmd:"" hidden:"" help:"Pass bytes on."`
	DiscoveryRegistry peersDiscoveryRegistryCommand `cmd:"" hidden:"" help:"Be the registry that is discovered from."`
}

// peersRouterCommand compares routers, interleaved in one run.
type peersRouterCommand struct {
	Quick   bool     `help:"Small messages only, short windows: about 40 s, and nothing to decide by."`
	Only    []string `placeholder:"NAME" help:"Measure only these peers: direct, relay, frames, haproxy, nginx, caddy, raw-codec."`
	Blocks  *int     `help:"How often each cell is measured, with fresh processes. Default: 6, quick 3."`
	Seconds *float64 `help:"How long each time. Default: 0.55, quick 0.3."`
	Seed    uint64   `default:"1" help:"Seed of the order and of the arrivals."`
	JSON    bool     `help:"Print the result as JSON and nothing else."`
}

func (c *peersRouterCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	_, _, missing := peers.Installed(o.Peers)
	for _, m := range missing {
		fmt.Fprintf(t.err, "left out: %s\n", m)
	}
	progress := &peersProgress{terminal: t}
	o.Progress = progress.say
	fmt.Fprintf(t.err, "blocks: %d, cases: %d, peers: %d; about %v\n",
		o.Blocks, len(o.Cases), len(o.Peers)-len(missing), o.Expected().Round(time.Second))
	debug.SetGCPercent(benchGCPercent)
	r, err := peers.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("print the result: %w", err)
		}
	} else {
		fmt.Fprint(t.out, peers.Text(r))
	}
	switch {
	case r.Partial:
		return errors.New("stopped before its end; what was measured is marked partial")
	case !r.Valid:
		return invalidError{fmt.Errorf("the measurement is INVALID: %s", strings.Join(r.InvalidReasons, "; "))}
	}
	return nil
}

// options checks the flags before anything starts.
func (c *peersRouterCommand) options() (peers.Options, error) {
	executable, err := os.Executable()
	if err != nil {
		return peers.Options{}, fmt.Errorf("find this program: %w", err)
	}
	chosen, err := peers.ByNames(c.Only)
	if err != nil {
		return peers.Options{}, fmt.Errorf("--only: %w", err)
	}
	o := peers.Options{
		Self:  func(args ...string) *exec.Cmd { return exec.Command(executable, args...) },
		Peers: chosen, Cases: peers.Cases, Blocks: peers.DefaultBlocks, Window: peers.DefaultWindow,
		Seed: c.Seed, Quick: c.Quick, Flags: os.Args[1:],
	}
	if c.Quick {
		o.Cases, o.Blocks, o.Window = peers.SmallCases(), peers.QuickBlocks, peers.QuickWindow
	}
	if c.Blocks != nil {
		o.Blocks = *c.Blocks
	}
	if c.Seconds != nil {
		if !(*c.Seconds >= peers.WindowMin.Seconds() && *c.Seconds <= peers.WindowMax.Seconds()) {
			return o, fmt.Errorf("--seconds %g: a window can be %g to %g", *c.Seconds, peers.WindowMin.Seconds(), peers.WindowMax.Seconds())
		}
		o.Window = time.Duration(*c.Seconds * float64(time.Second))
	}
	return o, o.Check()
}

// progressEach is how often progress is said within a block.
const progressEach = 5 * time.Second

// peersProgress writes where a run is, a line at a time, not too often.
type peersProgress struct {
	terminal terminal
	block    int
	said     time.Time
}

func (p *peersProgress) say(now peers.Progress) {
	if now.Block == p.block && time.Since(p.said) < progressEach {
		return
	}
	p.block, p.said = now.Block, time.Now()
	fmt.Fprintf(p.terminal.err, "block %d of %d, %s; %v left\n", now.Block, now.Blocks, now.Doing, now.Left.Round(time.Second))
}

// peersEchoCommand is started by a run: the service behind every peer.
type peersEchoCommand struct {
	Listen []string `required:"" help:"Where its instances listen."`
}

func (c *peersEchoCommand) Run(ctx context.Context) error { return peers.ServeEcho(ctx, c.Listen) }

// peersRelayCommand is started by a run: the floor of what a proxy costs.
type peersRelayCommand struct {
	Listen string   `required:"" help:"Where connections come in."`
	To     []string `required:"" help:"Where they go, in turn."`
}

func (c *peersRelayCommand) Run(ctx context.Context) error {
	return peers.ServeRelay(ctx, c.Listen, c.To)
}
