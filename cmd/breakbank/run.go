package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"golang.org/x/sync/errgroup"

	"breakbank/platform/cluster"
	"breakbank/platform/process"
	"breakbank/platform/router/clientside"
)

// Settings of the process that runs the roles.
const (
	// roleNiceness keeps the measured below the measuring on a small machine.
	roleNiceness = 5
	// roleGCPercent trades memory, of which a run needs little, for CPU.
	roleGCPercent = 400
	// partGCPercent is for a process that is one part of many: memory counts
	// more there.
	partGCPercent = 100
	// natsGCPercent is for NATS alone: most of its heap are blocks of its streams
	// that are written, compacted or read, up to 8 MiB each, which it drops and makes
	// anew. They hold no pointers, so that looking through them costs next to
	// nothing; left alone they pile up until a collection.
	natsGCPercent = 25
	// roleProcsPerCore lets the operating system share the cores out among more
	// threads than there are. On two cores a collection's worker takes one of
	// two Ps for as long as it marks, and everything queues for the other: at
	// 1000/s, with twice as many Ps, the 99th percentile of card taps in the
	// baseline went from 111 ms to 61 ms.
	roleProcsPerCore = 2
)

// runCommand runs roles in this process until it is told to end, or until the
// process that started it is gone.
type runCommand struct {
	Role     []string `arg:"" help:"Roles to run: ROLE, or ROLE/NAME where the topology has several, such as etcd/etcd-a. 'all' is the whole platform."`
	Topology string   `type:"path" help:"Topology file; see 'breakbank topology print'."`
	Spec     string   `type:"path" hidden:"" help:"Of role instance: the file that says what to run."`
}

func (c *runCommand) Run(ctx context.Context, t terminal) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if gone := process.Lifeline(); gone != nil {
		// The kernel hangs up on a process group that has lost its parent while one
		// of it stands still (POSIX, _exit), and what is said while a platform comes
		// up goes to a pipe that nobody reads any more. Whoever ends of either tidies
		// up nothing.
		unheeded := make(chan os.Signal, 1)
		signal.Notify(unheeded, syscall.SIGHUP, syscall.SIGPIPE)
		defer signal.Stop(unheeded)
		go func() {
			<-gone
			cancel(errOrphaned)
		}()
	}
	switch c.Role[0] {
	case roleInstance:
		return (&runInstanceCommand{Spec: c.Spec}).Run(ctx, t)
	case roleAll:
		return c.runAll(ctx, t)
	}
	return c.runParts(ctx)
}

// Roles that are no part of a topology.
const (
	// roleAll is the whole platform, spread as the topology says.
	roleAll = "all"
	// roleInstance is an instance of a service, as a child of its node.
	roleInstance = "instance"
)

// topology reads the topology file.
func (c *runCommand) topology() (cluster.Topology, error) {
	if c.Topology == "" {
		return cluster.Topology{}, misused("--topology is missing; 'breakbank topology print' shows one")
	}
	topology, err := cluster.ReadTopology(c.Topology)
	if err != nil {
		return topology, usageError{err}
	}
	return topology, nil
}

// runParts runs parts of a topology, each as if it were alone.
func (c *runCommand) runParts(ctx context.Context) error {
	topology, err := c.topology()
	if err != nil {
		return err
	}
	names, err := topology.PartNames(c.Role)
	if err != nil {
		return usageError{err}
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent(topology, names))
	}
	parts, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		parts.Go(func() error {
			return cluster.RunPart(ctx, cluster.PartConfig{
				Topology: topology, Name: name, Bank: theBank(),
				Instance: []string{ownPath(), "run", roleInstance, "--spec"}, Load: gentleLoad, Build: thisBuild().String(),
			})
		})
	}
	return parts.Wait()
}

// gcPercent is what GOGC is in a process of these parts, if nobody has said.
func gcPercent(topology cluster.Topology, parts []string) int {
	for _, name := range parts {
		if p, _ := topology.Part(name); p.Role != cluster.RoleNATS {
			return partGCPercent
		}
	}
	return natsGCPercent
}

// runAll runs a whole platform. It says on its standard output, a line of JSON
// each, what it is starting and where the control API is.
func (c *runCommand) runAll(ctx context.Context, t terminal) error {
	if len(c.Role) != 1 {
		return misused("roles %q: 'all' is every role there is; say nothing beside it", c.Role)
	}
	topology, err := c.topology()
	if err != nil {
		return err
	}
	debug.SetGCPercent(roleGCPercent)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(roleProcsPerCore * runtime.NumCPU())
	}
	clientside.Register()

	notices := json.NewEncoder(t.out)
	platform, err := startLayout(ctx, topology, func(progress string) {
		_ = notices.Encode(cluster.Notice{Progress: progress})
	})
	if err == nil {
		// Not before: while it comes up nothing is measured yet, and next to
		// other work it would take several times as long.
		if err = beNice(topology.Layout); err != nil {
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

// startLayout starts a platform in this process, or in processes below it.
func startLayout(ctx context.Context, topology cluster.Topology, progress func(string)) (interface {
	AdminAddress() string
	Close()
}, error,
) {
	if topology.Layout == cluster.LayoutProcesses {
		return cluster.StartProcesses(ctx, cluster.ProcessesConfig{
			Topology: topology, Bank: theBank(), Executable: ownPath(), Build: thisBuild().String(),
		}, progress)
	}
	return cluster.Start(ctx, topology, theBank(), progress)
}

// beNice lowers the priority of this process or, if it is one of many, of all.
func beNice(layout string) error {
	if layout == cluster.LayoutProcesses {
		return cluster.BeNiceTogether(roleNiceness)
	}
	return cluster.BeNice(roleNiceness)
}

var errOrphaned = errors.New("the parent process is gone")
