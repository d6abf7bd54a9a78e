package cluster

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func complete(t *testing.T) Topology {
	t.Helper()
	topology := Standard()
	topology.Router = "strategy: random\n"
	topology.Services = []ServiceSpec{
		{Name: "ledger", Version: "v1", Nodes: []string{"a2", "b2", "c2"}},
		{Name: "cardnet", Version: "v1", Nodes: []string{"a1", "b1", "c1"}, Fixed: true},
	}
	topology.Dir, topology.LogDir = t.TempDir(), t.TempDir()
	return topology
}

func TestATopologyIsReadAsItWasWritten(t *testing.T) {
	written := complete(t)
	path := filepath.Join(t.TempDir(), "topology.yaml")
	if err := written.Write(path); err != nil {
		t.Fatal(err)
	}
	read, err := ReadTopology(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, written) {
		t.Errorf("read  %+v\nwrote %+v", read, written)
	}
}

func TestATopologyThatCannotBeBuiltIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Topology){
		"registry_members is 10":    func(t *Topology) { t.RegistryMembers = 10 },
		"registry_members is 0":     func(t *Topology) { t.RegistryMembers = 0 },
		`node d1 is in zone "d"`:    func(t *Topology) { t.Nodes = append(t.Nodes, NodeSpec{"d1", "d"}) },
		`ledger is placed on "z9"`:  func(t *Topology) { t.Services[0].Nodes[1] = "z9" },
		`ledger has version "../x"`: func(t *Topology) { t.Services[0].Name, t.Services[0].Version = "ledger", "../x" },
		"127.0.0.1:1 is book's admin and nats's admin; each needs its own": func(t *Topology) {
			placed, err := t.Placed(testPorts)
			if err != nil {
				panic(err)
			}
			*t = placed
			for i, p := range t.Parts {
				if p.Role == RoleBook || p.Role == RoleNATS {
					t.Parts[i].Admin = "127.0.0.1:1"
				}
			}
		},
		"dir must be set":     func(t *Topology) { t.Dir = "" },
		"log_dir must be set": func(t *Topology) { t.LogDir = "" },
	} {
		topology := complete(t)
		spoil(&topology)
		if err := topology.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := complete(t).check(); err != nil {
		t.Errorf("a complete topology is refused: %v", err)
	}
}

func TestStandardPlacesTwoNodesInEachZone(t *testing.T) {
	inZone := map[string]int{}
	for _, n := range Standard().Nodes {
		inZone[n.Zone]++
	}
	for _, zone := range Standard().Zones {
		if inZone[zone] != 2 {
			t.Errorf("zone %s has %d nodes", zone, inZone[zone])
		}
	}
}
