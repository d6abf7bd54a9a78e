package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"breakbank/bench/arm"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
)

// ctlCommand does by hand what a scenario does.
type ctlCommand struct {
	controlFlags

	Get      ctlGet      `cmd:"" help:"Show routers, instances, members, API servers, processes and faults."`
	Tap      ctlTap      `cmd:"" help:"Pay by card, once, and show who answered; exit 0 if approved."`
	Books    ctlBooks    `cmd:"" help:"Check the books while they are in use; exit 0 only if every store balances."`
	Grow     ctlGrow     `cmd:"" help:"Grow etcd to so many members, one by one."`
	Deploy   ctlDeploy   `cmd:"" help:"Roll a service to a version."`
	Rollback ctlRollback `cmd:"" help:"Roll a service back to the version before."`
	Scale    ctlScale    `cmd:"" help:"Set a service's replicas."`
	Delete   ctlDelete   `cmd:"" help:"Delete a Service with its Endpoints."`
	Restart  ctlRestart  `cmd:"" help:"Restart a router or an API server."`
	Fallback ctlFallback `cmd:"" help:"Switch stand-in: none, routed or independent."`
	Fault    ctlFault    `cmd:"" help:"Inject, clear and list faults."`
	Logs     ctlLogs     `cmd:"" help:"Look for a text in the latest lines of the platform's logs; exit 0 if it is there."`
	Reset    ctlReset    `cmd:"" help:"Bring a platform in containers back empty, with other settings."`
}

type ctlGrow struct {
	Members int32 `arg:"" help:"Members to grow to, at most 9."`
}

func (g *ctlGrow) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		stream, err := c.GrowRegistry(c.ctx, &adminv1.GrowRegistryRequest{Members: g.Members})
		if err != nil {
			return err
		}
		for {
			added, err := stream.Recv()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			fmt.Fprintf(t.out, "%s joined: %d members\n", added.GetAdded(), added.GetMembers())
		}
	})
}

type ctlDeploy struct {
	Service string `arg:"" help:"Service."`
	Version string `arg:"" help:"Version, such as v2."`
}

func (d *ctlDeploy) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		done, err := c.Deploy(c.ctx, &adminv1.DeployRequest{Service: d.Service, Version: d.Version})
		if err == nil {
			fmt.Fprintf(t.out, "%s is at %s after %d ms\n", d.Service, done.GetVersion(), done.GetTookMs())
		}
		return err
	})
}

type ctlRollback struct {
	Service string `arg:"" help:"Service."`
}

func (r *ctlRollback) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		done, err := c.Rollback(c.ctx, &adminv1.RollbackRequest{Service: r.Service})
		if err == nil {
			fmt.Fprintf(t.out, "%s is back at %s after %d ms\n", r.Service, done.GetVersion(), done.GetTookMs())
		}
		return err
	})
}

type ctlScale struct {
	Service  string `arg:"" help:"Service."`
	Replicas int32  `arg:"" help:"Replicas; 0 leaves an empty Service behind."`
}

func (s *ctlScale) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		_, err := c.Scale(c.ctx, &adminv1.ScaleRequest{Service: s.Service, Replicas: s.Replicas})
		return err
	})
}

type ctlDelete struct {
	Service string `arg:"" help:"Service."`
}

func (d *ctlDelete) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		_, err := c.DeleteService(c.ctx, &adminv1.DeleteServiceRequest{Service: d.Service})
		return err
	})
}

type ctlRestart struct {
	Router    ctlRestartRouter    `cmd:"" help:"Restart the router of a node; does not wait until it is ready."`
	Apiserver ctlRestartAPIServer `cmd:"" help:"Restart an API server."`
}

type ctlRestartRouter struct {
	Node string `arg:"" help:"Node, such as c1."`
}

func (r *ctlRestartRouter) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		_, err := c.RestartRouter(c.ctx, &adminv1.RestartRouterRequest{Node: r.Node})
		return err
	})
}

type ctlRestartAPIServer struct {
	Name string `arg:"" help:"API server, such as apiserver-a."`
}

func (r *ctlRestartAPIServer) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		_, err := c.RestartAPIServer(c.ctx, &adminv1.RestartAPIServerRequest{Name: r.Name})
		return err
	})
}

type ctlFallback struct {
	Mode string `arg:"" enum:"none,routed,independent" help:"none, routed or independent."`
}

func (f *ctlFallback) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, t, func(c controls) error {
		topology, err := c.GetTopology(c.ctx, &adminv1.GetTopologyRequest{})
		if err != nil {
			return err
		}
		for _, e := range topology.GetEdges() {
			if e.GetService() != cardNet {
				continue
			}
			conn, err := grpc.NewClient(c.target.Edges.Address(e.GetNode(), e.GetService(), e.GetAddress()), grpc.WithAuthority(cardNet),
				grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return err
			}
			_, err = bankv1.NewCardNetServiceClient(conn).SetFallback(c.ctx,
				&bankv1.SetFallbackRequest{Mode: arm.FallbackModes[f.Mode]})
			conn.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
}
