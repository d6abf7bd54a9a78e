package router

import (
	"errors"
	"fmt"
	"slices"

	"breakbank/platform/router/balance"
	"breakbank/platform/router/feed"
)

// agentPolicies are those that the node agent acts by, before there is a
// router; they mean the same whatever the table comes from.
var agentPolicies = []string{"config-snapshot", "make-before-break"}

// checkClientSide refuses what the client-side data plane has not: an arm must
// not silently lose a part of itself.
func (c Config) checkClientSide() error {
	if c.DataPlane != DataPlaneClientSide {
		return nil
	}
	var errs []error
	lacks := func(what string) {
		errs = append(errs, fmt.Errorf("dataplane %s has no %s", DataPlaneClientSide, what))
	}
	if c.Overlays != (Overlays{}) {
		lacks("overlays but retries and ejection")
	}
	if strategy, err := balance.New(c.Strategy); err == nil {
		if _, probes := strategy.(balance.Prober); probes {
			lacks("probes, which the strategy " + c.Strategy + " lives by")
		}
	}
	if c.Has("gossip") {
		lacks("routers, which the policy gossip would ask")
	}
	return errors.Join(errs...)
}

// checkDiscovery refuses a configuration that asks for what the feed it names
// does not have: it would be measured as an arm that it is not.
func (c Config) checkDiscovery() error {
	if c.Discovery == feed.Own {
		return nil
	}
	var errs []error
	for _, p := range c.Policies {
		if !slices.Contains(agentPolicies, p) {
			errs = append(errs, fmt.Errorf("policy %q is of the product's own discovery; discovery %s knows only %v", p, c.Discovery, agentPolicies))
		}
	}
	if c.Discovery != feed.EtcdNaming {
		return errors.Join(errs...)
	}
	for _, need := range []struct {
		what string
		met  bool
	}{
		{"dataplane " + DataPlaneClientSide, c.DataPlane == DataPlaneClientSide},
		{"strategy round-robin", c.Strategy == "round-robin"},
		{"retries of kind " + balance.BudgetNone, c.Retries.Kind == balance.BudgetNone},
		{"no ejection", c.Ejection == nil},
	} {
		if !need.met {
			errs = append(errs, fmt.Errorf("discovery %s is balancing that is grpc-go's own: it goes with %s", c.Discovery, need.what))
		}
	}
	return errors.Join(errs...)
}
