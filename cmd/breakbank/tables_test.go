package main

import (
	"slices"
	"testing"

	"breakbank/bench/scenario"
	"breakbank/platform/cluster"
	"breakbank/platform/fault"
	"breakbank/platform/ports"
)

// TestScenariosKnowWhatThereIs holds what scripts are checked against before
// anything starts against the tables of what can be started.
func TestScenariosKnowWhatThereIs(t *testing.T) {
	var names, faults, nodes []string
	for _, s := range services {
		names = append(names, s.name)
	}
	for _, kind := range fault.Table {
		faults = append(faults, kind.Name)
	}
	for _, n := range cluster.Standard().Nodes {
		nodes = append(nodes, n.Name)
	}
	standard := cluster.Standard()
	standard.Dir, standard.LogDir = t.TempDir(), t.TempDir()
	placed, err := standard.Placed(ports.New())
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, p := range placed.Parts {
		if p.Role != cluster.RoleControl && p.Role != cluster.RoleLoad { // Faults come from the one and leave the other.
			parts = append(parts, p.Name)
		}
	}
	known := scenario.DefaultTargets
	for what, pair := range map[string][2][]string{
		"services":      {known.Services, names},
		"faults":        {known.FaultNames(), faults},
		"nodes":         {known.Nodes, nodes},
		"parts":         {known.Parts, parts},
		"relayed kinds": {known.Kinds, cluster.RelayedKinds},
	} {
		scripts, real := slices.Sorted(slices.Values(pair[0])), slices.Sorted(slices.Values(pair[1]))
		if !slices.Equal(scripts, real) {
			t.Errorf("%s: scripts know %v, there are %v", what, scripts, real)
		}
	}
}
