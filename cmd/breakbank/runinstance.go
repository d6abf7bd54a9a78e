package main

import (
	"context"

	"breakbank/platform/node"
	"breakbank/platform/rpc"
	"breakbank/platform/telemetry"
)

// runInstanceCommand runs one instance of a service in this process, for the
// node agent that started it and passed it its socket.
type runInstanceCommand struct {
	// Spec is the file in which the agent describes the instance.
	Spec string
}

func (c *runInstanceCommand) Run(ctx context.Context, t terminal) error {
	if c.Spec == "" {
		return misused("role instance: --spec is missing; node agents write that file")
	}
	metrics := telemetry.NewRegistry()
	metrics.MustRegister(rpc.NewCollector())
	return node.RunInstance(ctx, c.Spec, node.Child{
		Constructors: theBank().Constructors, Gatherer: metrics, Stdout: t.out, Stderr: t.err,
	})
}
