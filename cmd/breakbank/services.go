package main

import (
	"context"

	"breakbank/platform/cluster"
	"breakbank/platform/node"
	"breakbank/platform/rpc"
	"breakbank/services/balance"
	"breakbank/services/bank"
	"breakbank/services/cardauth"
	"breakbank/services/cardnet"
	"breakbank/services/feed"
	"breakbank/services/fps"
	"breakbank/services/gateway"
	"breakbank/services/ledger"
	"breakbank/services/payments"
	"breakbank/services/prepaid"
	"breakbank/services/standin"
)

// Where replicas go: the edges on the first node of each zone, everything
// else on the second, stand-in alone on one of those.
var (
	edgeNodes  = []string{"a1", "b1", "c1"}
	innerNodes = []string{"a2", "b2", "c2"}
)

// services is the table of what the bank is made of.
var services = []struct {
	name  string
	nodes []string
	// fixed services keep their addresses, as lines to the outside do.
	fixed bool
	// later services are not there until somebody deploys them.
	later bool
	new   node.Constructor
}{
	{name: "cardnet", nodes: edgeNodes, fixed: true, new: cardnet.New},
	{name: "fps", nodes: edgeNodes, fixed: true, new: fps.New},
	{name: "gateway", nodes: edgeNodes, fixed: true, new: gateway.New},
	{name: "cardauth", nodes: innerNodes, new: cardauth.New},
	{name: "prepaid", nodes: innerNodes, new: prepaid.New},
	{name: "payments", nodes: innerNodes, new: payments.New},
	{name: "ledger", nodes: innerNodes, new: ledger.New},
	{name: "balance", nodes: innerNodes, new: balance.New},
	{name: "feed", nodes: innerNodes, new: feed.New},
	{name: "standin", nodes: []string{"b2"}, fixed: true, new: standin.New},
	{name: "pots", nodes: innerNodes, later: true, new: newPots},
}

// newPots starts the current-account service that went live the day before
// the outage. Nobody calls it; what matters is that it exists and is scaled
// to nothing.
func newPots(_ context.Context, env node.Env) (node.Instance, error) {
	return rpc.NewServer(rpc.ServerConfig{
		Service: env.Service, Instance: env.Instance, Listener: env.Listener, AccessLog: env.AccessLog, Log: env.Log,
	}), nil
}

// theBank is what a platform is handed so that it can run the services
// without knowing them.
func theBank() cluster.Bank {
	b := cluster.Bank{
		Constructors: map[string]node.Constructor{},
		Stores:       bank.Stores,
		Published:    []string{bank.StoreLedger, bank.StorePrepaid},
		Seed:         bank.SeedOperations,
	}
	for _, s := range services {
		b.Constructors[s.name] = s.new
	}
	return b
}

// serviceSpecs is the table as a topology wants it.
func serviceSpecs() []cluster.ServiceSpec {
	var specs []cluster.ServiceSpec
	for _, s := range services {
		specs = append(specs, cluster.ServiceSpec{Name: s.name, Version: "v1", Nodes: s.nodes, Fixed: s.fixed, Later: s.later})
	}
	return specs
}
