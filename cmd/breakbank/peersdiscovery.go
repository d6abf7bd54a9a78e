package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"breakbank/bench/arm"
	"breakbank/bench/benign"
	"breakbank/bench/peers/discovery"
	"breakbank/platform/router"
)

// peersDiscoveryCommand measures how soon routers use what the registry knows,
// next to client-go's informer; or, in virtual time, whether the guards do harm
// where nothing is wrong.
type peersDiscoveryCommand struct {
	Routers     int           `default:"100" help:"Followers of each kind."`
	Services    int           `default:"1000" help:"Services in the table."`
	Endpoints   int           `default:"10" help:"Instances of each service."`
	ChangesPerS float64       `name:"changes-per-s" default:"10" help:"Changes a second."`
	Duration    time.Duration `default:"10s" help:"How long each kind is measured in each block."`
	Blocks      int           `default:"5" help:"How often each kind is measured, in random order."`
	Seed        uint64        `default:"1" help:"Seed of the order and of the changes."`
	NoHarm      bool          `name:"no-harm" help:"Instead: play benign deploys, scale-downs and true zeros in virtual time, and say what guards cost."`
	Operations  int           `default:"1000" help:"With --no-harm: how many."`
	JSON        bool          `help:"Print the result as JSON and nothing else."`
}

func (c *peersDiscoveryCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	if c.NoHarm {
		return c.playBenign(t, o)
	}
	o.Progress = func(line string) { fmt.Fprintln(t.err, line) }
	r, err := discovery.Run(ctx, o)
	if err != nil {
		return err
	}
	if err := t.show(c.JSON, r, discovery.Text(r)); err != nil {
		return err
	}
	return believed(r.Partial, r.Valid, r.InvalidReasons)
}

// playBenign holds guarded's policies, together and each, against keep-last.
func (c *peersDiscoveryCommand) playBenign(t terminal, o discovery.Options) error {
	r, err := benign.Run(benign.Options{
		Operations: c.Operations, Services: benign.DefaultServices, RatePerS: benign.DefaultRatePerS,
		Seed: c.Seed, Policies: o.Policies, Parser: o.Parser,
	})
	if err != nil {
		return err
	}
	return t.show(c.JSON, r, benign.Text(r))
}

// options checks the flags before anything starts.
func (c *peersDiscoveryCommand) options() (discovery.Options, error) {
	executable, err := os.Executable()
	if err != nil {
		return discovery.Options{}, fmt.Errorf("find this program: %w", err)
	}
	guarded, err := arm.Load("guarded")
	if err != nil {
		return discovery.Options{}, err
	}
	config, err := router.ParseConfig([]byte(guarded.Router))
	if err != nil {
		return discovery.Options{}, fmt.Errorf("arm guarded: %w", err)
	}
	o := discovery.Options{
		Self:     func() *exec.Cmd { return exec.Command(executable, "peers", "discovery-registry") },
		Policies: config.Policies, Parser: config.Parser,
		Routers: c.Routers, Services: c.Services, Endpoints: c.Endpoints, ChangesPerS: c.ChangesPerS,
		Duration: c.Duration, Blocks: c.Blocks, Flood: discovery.DefaultFlood, Seed: c.Seed, Flags: os.Args[1:],
	}
	if c.Operations < 1 || c.Operations > benign.OperationsMax {
		return o, fmt.Errorf("--operations %d: it can be 1 to %d", c.Operations, benign.OperationsMax)
	}
	return o, o.Check()
}

// peersDiscoveryRegistryCommand is started by a run: the registry in a process
// of its own, which obeys orders on its standard input.
type peersDiscoveryRegistryCommand struct{}

func (c *peersDiscoveryRegistryCommand) Run(ctx context.Context, t terminal) error {
	return discovery.ServeRegistry(ctx, os.Stdin, t.out)
}
