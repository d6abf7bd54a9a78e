package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"breakbank/bench/peers/comparison"
	peers "breakbank/bench/peers/router"
)

// peersCommand measures parts of breakbank next to what a user would pick
// instead.
type peersCommand struct {
	Router            peersRouterCommand            `cmd:"" help:"Measure the router next to HAProxy, nginx and Caddy: CPU a request and added latency."`
	Discovery         peersDiscoveryCommand         `cmd:"" help:"Measure how soon routers use what the registry knows, next to client-go's informer."`
	Loadgen           peersLoadgenCommand           `cmd:"" help:"Measure the load generator next to ghz and h2load: CPU a request, and whether what they report is true."`
	Echo              peersEchoCommand              `cmd:"" hidden:"" help:"Be the service behind the peers."`
	Relay             peersRelayCommand             `cmd:"" hidden:"" help:"Pass bytes on."`
	Null              peersNullCommand              `cmd:"" hidden:"" help:"Answer every call with nothing, or misbehave in a known way."`
	Offer             peersOfferCommand             `cmd:"" hidden:"" help:"Offer load to the null server."`
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
	o.Progress = sayProgress(t)
	fmt.Fprintf(t.err, "blocks: %d, cases: %d, peers: %d; about %v\n",
		o.Blocks, len(o.Cases), len(o.Peers)-len(missing), o.Expected().Round(time.Second))
	debug.SetGCPercent(benchGCPercent)
	r, err := peers.Run(ctx, o)
	if err != nil {
		return err
	}
	if err := t.show(c.JSON, r, peers.Text(r)); err != nil {
		return err
	}
	return believed(r.Partial, r.Valid, r.InvalidReasons)
}

// options checks the flags before anything starts.
func (c *peersRouterCommand) options() (peers.Options, error) {
	self, err := ownCommand()
	if err != nil {
		return peers.Options{}, err
	}
	chosen, err := peers.ByNames(c.Only)
	if err != nil {
		return peers.Options{}, fmt.Errorf("--only: %w", err)
	}
	o := peers.Options{
		Plan: comparison.Plan{
			Self: self, Blocks: peers.DefaultBlocks, Window: peers.DefaultWindow, Seed: c.Seed, Quick: c.Quick, Flags: os.Args[1:],
		},
		Peers: chosen, Cases: peers.Cases,
	}
	if c.Quick {
		o.Cases, o.Blocks, o.Window = peers.SmallCases(), peers.QuickBlocks, peers.QuickWindow
	}
	if err := replan(&o.Plan, c.Blocks, c.Seconds, peers.WindowMin); err != nil {
		return o, err
	}
	return o, o.Check()
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
