package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"breakbank/platform/cluster"
	"breakbank/platform/router/clientside"
)

// Settings of the process that runs the roles.
const (
	// roleNiceness keeps the measured below the measuring on a small machine.
	roleNiceness = 5
	// roleGCPercent trades memory, of which a run needs little, for CPU.
	roleGCPercent = 400
	// roleProcsPerCore lets the operating system share the cores out among more
	// threads than there are. On two cores a collection's worker takes one of
	// two Ps for as long as it marks, and everything queues for the other: at
	// 1000/s, with twice as many Ps, the 99th percentile of card taps in the
	// baseline went from 111 ms to 61 ms.
	roleProcsPerCore = 2
)

// runCommand runs roles in this process until its standard input closes.
type runCommand struct {
	Role     []string `arg:"" help:"Roles to run; 'all' is every role in one process."`
	Topology string   `required:"" type:"path" help:"Topology file."`
}

func (c *runCommand) Run(ctx context.Context, t terminal) error {
	if len(c.Role) != 1 || c.Role[0] != "all" {
		return misused("roles %q: this topology runs every role in one process: say 'all'", c.Role)
	}
	topology, err := cluster.ReadTopology(c.Topology)
	if err != nil {
		return usageError{err}
	}
	debug.SetGCPercent(roleGCPercent)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(roleProcsPerCore * runtime.NumCPU())
	}
	clientside.Register()

	// The parent holds the other end of standard input: when that closes the
	// parent is gone, however it went, and so must this process be.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel(errOrphaned)
	}()

	notices := json.NewEncoder(t.out)
	platform, err := cluster.Start(ctx, topology, theBank(), func(progress string) {
		_ = notices.Encode(cluster.Notice{Progress: progress})
	})
	if err == nil {
		// Not before: while it comes up nothing is measured yet, and next to
		// other work it would take several times as long.
		if err = cluster.BeNice(roleNiceness); err != nil {
			platform.Close()
		}
	}
	if err == nil {
		_ = notices.Encode(cluster.Notice{Admin: platform.AdminAddress()})
		<-ctx.Done()
		platform.Close()
	} else {
		_ = notices.Encode(cluster.Notice{Failed: oneLine(err)})
	}
	if topology.RemoveWhenOrphaned && errors.Is(context.Cause(ctx), errOrphaned) {
		err = errors.Join(err, os.RemoveAll(topology.Dir))
	}
	return err
}

var errOrphaned = errors.New("the parent process is gone")
