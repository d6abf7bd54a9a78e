package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"breakbank/bench/arm"
	"breakbank/bench/result"
	adminv1 "breakbank/proto/admin/v1"
)

// operator carries out the script's steps over the control API and at the
// edges: it is the scenario.Operator of a real platform.
type operator struct {
	admin    adminv1.AdminServiceClient
	edges    *edges
	arm      *arm.Arm
	fullLoad func(ctx context.Context) error
	injected func(result.Fault)
	cleared  func(name, target string)
	grown    func(members int, added string)
	// linesFound counts what FindInRouterLogs found, in all.
	linesFound int
}

func (o *operator) GrowRegistry(ctx context.Context, members int) error {
	topology, err := o.admin.GetTopology(ctx, &adminv1.GetTopologyRequest{})
	if err != nil {
		return fmt.Errorf("counting the registry's members: %w", err)
	}
	if len(topology.GetMembers()) >= members {
		return nil
	}
	stream, err := o.admin.GrowRegistry(ctx, &adminv1.GrowRegistryRequest{Members: int32(members)})
	if err != nil {
		return fmt.Errorf("growing the registry: %w", err)
	}
	for {
		added, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("growing the registry: %w", err)
		}
		o.grown(int(added.GetMembers()), added.GetAdded())
	}
}

func (o *operator) FullLoad(ctx context.Context) error { return o.fullLoad(ctx) }

func (o *operator) Deploy(ctx context.Context, service, version string) error {
	_, err := o.admin.Deploy(ctx, &adminv1.DeployRequest{Service: service, Version: version})
	return err
}

func (o *operator) RollBack(ctx context.Context, service string) error {
	_, err := o.admin.Rollback(ctx, &adminv1.RollbackRequest{Service: service})
	return err
}

func (o *operator) Scale(ctx context.Context, service string, replicas int) error {
	_, err := o.admin.Scale(ctx, &adminv1.ScaleRequest{Service: service, Replicas: int32(replicas)})
	return err
}

func (o *operator) DeleteService(ctx context.Context, service string) error {
	_, err := o.admin.DeleteService(ctx, &adminv1.DeleteServiceRequest{Service: service})
	return err
}

func (o *operator) RestartRouter(ctx context.Context, node string) error {
	_, err := o.admin.RestartRouter(ctx, &adminv1.RestartRouterRequest{Node: node})
	return err
}

func (o *operator) RestartAPIServer(ctx context.Context, name string) error {
	_, err := o.admin.RestartAPIServer(ctx, &adminv1.RestartAPIServerRequest{Name: name})
	return err
}

func (o *operator) SwitchStandin(ctx context.Context, on bool) (string, error) {
	switch {
	case !on:
		return "", o.edges.switchFallback(ctx, arm.FallbackNone)
	case o.arm.Fallback == arm.FallbackNone:
		return "this arm has no way to stand-in", nil
	case o.arm.FallbackFromStart():
		return "on from the start", nil
	}
	return o.arm.Fallback, o.edges.switchFallback(ctx, o.arm.Fallback)
}

func (o *operator) InjectFault(ctx context.Context, name, target string) error {
	resp, err := o.admin.InjectFault(ctx, &adminv1.InjectFaultRequest{Name: name, Target: target})
	if err != nil {
		return fmt.Errorf("injecting %s at %s: %w", name, target, err)
	}
	o.injected(result.Fault{
		Name: name, Target: target, Proof: resp.GetFault().GetProof(), Evidence: resp.GetFault().GetEvidence(),
	})
	return nil
}

func (o *operator) ClearFault(ctx context.Context, name, target string) error {
	if _, err := o.admin.ClearFault(ctx, &adminv1.ClearFaultRequest{Name: name, Target: target}); err != nil {
		return fmt.Errorf("clearing %s at %s: %w", name, target, err)
	}
	o.cleared(name, target)
	return nil
}

const (
	// routerLogs is how the names of the routers' logs begin.
	routerLogs = "router-"
	// logShownBytes bounds what is shown of a line.
	logShownBytes = 240
)

// FindInRouterLogs gives the first line with the text, and how many there are
// among the latest.
func (o *operator) FindInRouterLogs(ctx context.Context, text string) (string, error) {
	found, err := o.admin.SearchLogs(ctx, &adminv1.SearchLogsRequest{Part: routerLogs, Text: text})
	if err != nil {
		return "", fmt.Errorf("reading the routers' logs: %w", err)
	}
	o.linesFound += int(found.GetFound())
	if found.GetFound() == 0 {
		return fmt.Sprintf("no such line in %d logs", found.GetLogs()), nil
	}
	first := found.GetFirst()
	return fmt.Sprintf("%d lines, the first in %s: %s", found.GetFound(), found.GetFirstLog(), first[:min(len(first), logShownBytes)]), nil
}

// stepMax bounds one step; growing the registry from three to nine members is
// the longest, some 15 s.
const stepMax = 2 * time.Minute
