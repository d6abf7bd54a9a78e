package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"breakbank/bench/arm"
	"breakbank/platform/cluster"
	adminv1 "breakbank/proto/admin/v1"
)

// upCommand brings the platform up and stays until it is interrupted.
type upCommand struct {
	Arm      string `default:"linkerd-2017" help:"What the routers are made of: a name, or a YAML file."`
	Fallback string `help:"How the card edge reaches stand-in: none, routed or independent. Default: as the arm says."`
	Topology string `default:"single" enum:"single,processes" help:"How the platform is spread over processes: single or processes."`
	Members  int    `default:"3" help:"etcd members to start with, 1 to 9."`
	Admin    string `default:"${admin_address}" help:"Where the control API listens."`
	Out      string `default:"out/up" type:"path" help:"Directory for logs."`
}

func (c *upCommand) Run(ctx context.Context, t terminal) (err error) {
	a, err := arm.Load(c.Arm)
	if err != nil {
		return usageError{err}
	}
	if a, err = a.WithFallback(c.Fallback); err != nil {
		return usageError{err}
	}
	if err := cluster.MayRun(c.Topology, a.Router); err != nil {
		return misused("arm %s: %w", a.Name, err)
	}
	if c.Members < 1 || c.Members > 9 {
		return misused("--members %d: say 1 to 9", c.Members)
	}
	if _, _, err := net.SplitHostPort(c.Admin); err != nil {
		return misused("--admin %q: say host:port", c.Admin)
	}
	if err := mustHaveRoom(c.Out); err != nil {
		return usageError{err}
	}
	s, err := startChildSession(ctx, sessionOptions{
		arm: a, layout: c.Topology, members: c.Members, durability: "fsync",
		logDir: filepath.Join(c.Out, "logs"), adminAddress: c.Admin,
		progress: func(text string) { fmt.Fprintln(t.err, "starting:", text) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := printAddresses(ctx, t.out, s.child); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "\nlogs      %s\nBreak it with 'breakbank ctl' or kubectl; Ctrl-C ends it.\n", filepath.Join(c.Out, "logs"))
	select {
	case <-ctx.Done():
		return nil
	case <-s.child.Done():
		return fmt.Errorf("the platform ended by itself; see %s", filepath.Join(c.Out, "logs", "platform.log"))
	}
}

// printAddresses says where everything listens.
func printAddresses(ctx context.Context, out io.Writer, child *cluster.Child) error {
	topology, err := adminv1.NewAdminServiceClient(child.Admin).GetTopology(ctx, &adminv1.GetTopologyRequest{})
	if err != nil {
		return fmt.Errorf("ask the platform for its addresses: %w", err)
	}
	fmt.Fprintf(out, "control   %s\n", child.Admin.Target())
	for _, a := range topology.GetApiServers() {
		fmt.Fprintf(out, "kubectl   --server http://%s   (%s)\n", a.GetAddress(), a.GetName())
	}
	for _, m := range topology.GetMembers() {
		fmt.Fprintf(out, "etcd      %-22s %s\n", m.GetClientAddress(), m.GetName())
	}
	for _, e := range topology.GetEdges() {
		scheme := "grpc"
		if e.GetService() == "gateway" {
			scheme = "http"
		}
		fmt.Fprintf(out, "%-9s %s://%s   (node %s)\n", e.GetService(), scheme, e.GetAddress(), e.GetNode())
	}
	return nil
}
