package main

import (
	"fmt"

	"breakbank/bench/arm"
	"breakbank/platform/cluster"
	"breakbank/platform/ports"
)

// topologyCommand is about topology files.
type topologyCommand struct {
	Print topologyPrint `cmd:"" help:"Print the topology that 'replay' and 'up' use, as YAML."`
	Check topologyCheck `cmd:"" help:"Say whether a topology file could be run."`
}

type topologyPrint struct {
	Arm    string `default:"linkerd-2017" help:"What the routers are made of: a name, or a YAML file."`
	Layout string `default:"single" enum:"single,processes" help:"single, or processes with a part and ports for every role instance."`
	Dir    string `default:"out/platform" help:"Where the platform is to keep its data."`
}

func (c topologyPrint) Run(t terminal) error {
	a, err := arm.Load(c.Arm)
	if err != nil {
		return usageError{err}
	}
	topology := standardTopology(a)
	topology.Layout, topology.Dir, topology.LogDir = c.Layout, c.Dir, c.Dir+"/logs"
	if c.Layout == cluster.LayoutProcesses {
		if topology, err = topology.Placed(ports.New()); err != nil {
			return err
		}
	}
	text, err := topology.YAML()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s", text)
	return err
}

type topologyCheck struct {
	File string `arg:"" type:"path" help:"Topology file."`
}

func (c topologyCheck) Run(t terminal) error {
	topology, err := cluster.ReadTopology(c.File)
	if err != nil {
		return usageError{err}
	}
	fmt.Fprintf(t.out, "%s: %d zones, %d nodes, %d services, %d etcd members, %d parts\n",
		c.File, len(topology.Zones), len(topology.Nodes), len(topology.Services), topology.RegistryMembers, len(topology.Parts))
	return nil
}
