package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"breakbank/bench/arm"
	adminv1 "breakbank/proto/admin/v1"
	bankv1 "breakbank/proto/bank/v1"
)

// defaultAdminAddress is where "up" offers the control API and "ctl" looks for
// it.
const defaultAdminAddress = "127.0.0.1:7017"

// ctlTimeout bounds a command; a rollout or the growth of the registry takes
// seconds.
const ctlTimeout = 2 * time.Minute

// ctlCommand does by hand what a scenario does.
type ctlCommand struct {
	Admin string `default:"${admin_address}" help:"Address of the control API."`

	Get      ctlGet      `cmd:"" help:"Show routers, instances, members, API servers and faults."`
	Grow     ctlGrow     `cmd:"" help:"Grow etcd to so many members, one by one."`
	Deploy   ctlDeploy   `cmd:"" help:"Roll a service to a version."`
	Rollback ctlRollback `cmd:"" help:"Roll a service back to the version before."`
	Scale    ctlScale    `cmd:"" help:"Set a service's replicas."`
	Delete   ctlDelete   `cmd:"" help:"Delete a Service with its Endpoints."`
	Restart  ctlRestart  `cmd:"" help:"Restart a router or an API server."`
	Fallback ctlFallback `cmd:"" help:"Switch stand-in: none, routed or independent."`
	Fault    ctlFault    `cmd:"" help:"Inject, clear and list faults."`
}

// controls is a connection to a running platform.
type controls struct {
	adminv1.AdminServiceClient
	ctx context.Context
}

// do connects, runs the call, and says what went wrong in the platform's words.
func (c *ctlCommand) do(ctx context.Context, call func(controls) error) error {
	ctx, cancel := context.WithTimeout(ctx, ctlTimeout)
	defer cancel()
	conn, err := grpc.NewClient(c.Admin, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return misused("--admin %q: %w", c.Admin, err)
	}
	defer conn.Close()
	err = call(controls{adminv1.NewAdminServiceClient(conn), ctx})
	if s, ok := status.FromError(err); ok && err != nil {
		return fmt.Errorf("%s (control API at %s)", s.Message(), c.Admin)
	}
	return err
}

type ctlGet struct{}

func (ctlGet) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, func(c controls) error {
		stream, err := c.WatchState(c.ctx, &adminv1.WatchStateRequest{})
		if err != nil {
			return err
		}
		state, err := stream.Recv()
		if err != nil {
			return err
		}
		return printState(t, state)
	})
}

func printState(t terminal, s *adminv1.WatchStateResponse) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTER\tSTATE\tBEHIND\tNAMES\tSOURCE\tDETAIL")
	for _, r := range s.GetRouters() {
		state := strings.ToLower(strings.TrimPrefix(r.GetState().String(), "DISCOVERY_STATE_"))
		fmt.Fprintf(w, "%s\t%s\t%v\t%d\t%s\t%s\n", r.GetNode(), state,
			time.Duration(r.GetAgeMs())*time.Millisecond, r.GetNames(), r.GetSource(), r.GetDetail())
	}
	fmt.Fprintln(w, "\nINSTANCE\tVERSION\tNODE\tADDRESS\tREADY")
	for _, i := range s.GetInstances() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\n", i.GetName(), i.GetVersion(), i.GetNode(), i.GetAddress(), i.GetReady())
	}
	fmt.Fprintf(w, "\nETCD\tADDRESS\tROLE\t(revision %d)\n", s.GetEtcdRevision())
	for _, m := range s.GetMembers() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", m.GetName(), m.GetClientAddress(), memberRole(m))
	}
	fmt.Fprintln(w, "\nAPI SERVER\tREADY\tENDPOINTS AT REVISION")
	for _, a := range s.GetApiServers() {
		fmt.Fprintf(w, "%s\t%v\t%d\n", a.GetName(), a.GetReady(), a.GetCacheRevision())
	}
	if len(s.GetFaults()) > 0 {
		fmt.Fprintln(w)
		printFaults(w, s.GetFaults())
	}
	return w.Flush()
}

func memberRole(m *adminv1.Member) string {
	switch {
	case !m.GetRunning():
		return "stopped"
	case m.GetLeader():
		return "leader"
	case m.GetLearner():
		return "learner"
	}
	return "member"
}

type ctlGrow struct {
	Members int32 `arg:"" help:"Members to grow to, at most 9."`
}

func (g *ctlGrow) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, func(c controls) error {
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
	return ctl.do(ctx, func(c controls) error {
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
	return ctl.do(ctx, func(c controls) error {
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

func (s *ctlScale) Run(ctx context.Context, ctl *ctlCommand) error {
	return ctl.do(ctx, func(c controls) error {
		_, err := c.Scale(c.ctx, &adminv1.ScaleRequest{Service: s.Service, Replicas: s.Replicas})
		return err
	})
}

type ctlDelete struct {
	Service string `arg:"" help:"Service."`
}

func (d *ctlDelete) Run(ctx context.Context, ctl *ctlCommand) error {
	return ctl.do(ctx, func(c controls) error {
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

func (r *ctlRestartRouter) Run(ctx context.Context, ctl *ctlCommand) error {
	return ctl.do(ctx, func(c controls) error {
		_, err := c.RestartRouter(c.ctx, &adminv1.RestartRouterRequest{Node: r.Node})
		return err
	})
}

type ctlRestartAPIServer struct {
	Name string `arg:"" help:"API server, such as apiserver-a."`
}

func (r *ctlRestartAPIServer) Run(ctx context.Context, ctl *ctlCommand) error {
	return ctl.do(ctx, func(c controls) error {
		_, err := c.RestartAPIServer(c.ctx, &adminv1.RestartAPIServerRequest{Name: r.Name})
		return err
	})
}

type ctlFallback struct {
	Mode string `arg:"" enum:"none,routed,independent" help:"none, routed or independent."`
}

func (f *ctlFallback) Run(ctx context.Context, ctl *ctlCommand) error {
	return ctl.do(ctx, func(c controls) error {
		topology, err := c.GetTopology(c.ctx, &adminv1.GetTopologyRequest{})
		if err != nil {
			return err
		}
		for _, e := range topology.GetEdges() {
			if e.GetService() != "cardnet" {
				continue
			}
			conn, err := grpc.NewClient(e.GetAddress(), grpc.WithAuthority("cardnet"),
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

type ctlFault struct {
	List   ctlFaultList   `cmd:"" help:"List the kinds of fault and those injected."`
	Inject ctlFaultInject `cmd:"" help:"Inject a fault."`
	Clear  ctlFaultClear  `cmd:"" help:"Clear a fault."`
}

type ctlFaultList struct{}

func (ctlFaultList) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, func(c controls) error {
		faults, err := c.ListFaults(c.ctx, &adminv1.ListFaultsRequest{})
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "FAULT\tABOUT\tTARGETS, FOR EXAMPLE")
		for _, k := range faults.GetKinds() {
			const shown = 2
			fmt.Fprintf(w, "%s\t%s\t%s\n", k.GetName(), k.GetAbout(), strings.Join(k.GetTargets()[:min(shown, len(k.GetTargets()))], ", "))
		}
		if len(faults.GetInjected()) > 0 {
			fmt.Fprintln(w)
			printFaults(w, faults.GetInjected())
		}
		return w.Flush()
	})
}

func printFaults(w *tabwriter.Writer, faults []*adminv1.Fault) {
	fmt.Fprintln(w, "INJECTED\tTARGET\tSTATE\tPROOF")
	for _, f := range faults {
		state := "active"
		if f.GetClearedAt() != nil {
			state = "cleared"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.GetName(), f.GetTarget(), state, f.GetEvidence())
	}
}

type ctlFaultInject struct {
	Name       string            `arg:"" help:"Fault, as 'fault list' names it."`
	Target     string            `arg:"" help:"Target, or a pattern such as 'apiserver-*/etcd/endpoints'."`
	Parameters map[string]string `arg:"" optional:"" help:"Parameters, such as latency_ms=200."`
}

func (f *ctlFaultInject) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, func(c controls) error {
		done, err := c.InjectFault(c.ctx, &adminv1.InjectFaultRequest{Name: f.Name, Target: f.Target, Parameters: f.Parameters})
		if err == nil {
			fmt.Fprintln(t.out, done.GetFault().GetEvidence())
		}
		return err
	})
}

type ctlFaultClear struct {
	Name   string `arg:"" help:"Fault."`
	Target string `arg:"" help:"Target, as it was injected."`
}

func (f *ctlFaultClear) Run(ctx context.Context, ctl *ctlCommand, t terminal) error {
	return ctl.do(ctx, func(c controls) error {
		done, err := c.ClearFault(c.ctx, &adminv1.ClearFaultRequest{Name: f.Name, Target: f.Target})
		if err == nil {
			fmt.Fprintln(t.out, done.GetFault().GetEvidence())
		}
		return err
	})
}
