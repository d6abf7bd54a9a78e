package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"breakbank/platform/ports"
	"breakbank/platform/registry"
	adminv1 "breakbank/proto/admin/v1"
)

// placed is a whole platform spread over processes.
func placed(t *testing.T) Topology {
	t.Helper()
	topology := complete(t)
	topology.Layout = LayoutProcesses
	topology, err := topology.Placed(testPorts)
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

func TestPlacedGivesEveryRoleInstanceAPart(t *testing.T) {
	topology := placed(t)
	for role, want := range map[string]int{
		RoleEtcd: registry.MaxMembers, RoleAPIServer: 3, RoleNode: 6, RoleBook: 1, RoleNATS: 1, RoleControl: 1, RoleLoad: 0,
	} {
		if got := len(topology.PartsOf(role)); got != want {
			t.Errorf("%d parts with role %s, want %d", got, role, want)
		}
	}
	seen := map[string]string{}
	for _, p := range topology.Parts {
		addresses := p.addresses()
		if p.DNS != "" {
			addresses["dns"] = p.DNS
		}
		for what, address := range addresses {
			host, _, err := net.SplitHostPort(address)
			if err != nil || host != "127.0.0.1" {
				t.Errorf("%s of %s is %q", what, p.Name, address)
			}
			if other := seen[address]; other != "" {
				t.Errorf("%s of %s and %s are both %s", what, p.Name, other, address)
			}
			seen[address] = what + " of " + p.Name
		}
	}
	for _, n := range topology.Nodes {
		around := topology.surroundingsOf(n)
		if len(around.apiServers) != 3 || len(around.peers) != 5 || around.naming == "" || len(around.etcd()) != 3 {
			t.Errorf("node %s is told %+v", n.Name, around)
		}
		own, _ := topology.Part("apiserver-" + n.Zone)
		if around.apiServers[0] != "http://"+own.Address {
			t.Errorf("node %s asks %s first, not its own zone's API server", n.Name, around.apiServers[0])
		}
	}
}

// TestPlacedPassesOverTheControlAPI: its address was chosen by somebody else.
func TestPlacedPassesOverTheControlAPI(t *testing.T) {
	free := ports.New()
	defer free.Close()
	l, err := free.Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	topology := complete(t)
	topology.AdminAddress = fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port+1)
	if _, err := topology.Placed(free); err != nil {
		t.Error(err)
	}
}

func TestPlacedSurvivesItsFile(t *testing.T) {
	topology := placed(t)
	path := filepath.Join(t.TempDir(), "parts.yaml")
	if err := topology.Write(path); err != nil {
		t.Fatal(err)
	}
	read, err := ReadTopology(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Parts) != len(topology.Parts) || read.Parts[10].Links["endpoints"] != topology.Parts[10].Links["endpoints"] {
		t.Errorf("%d parts were read of %d", len(read.Parts), len(topology.Parts))
	}
}

func TestPartsThatMakeNoPlatformAreRefused(t *testing.T) {
	for _, c := range []struct {
		what  string
		spoil func(*Topology)
		says  string
	}{
		{"a name twice", func(t *Topology) { t.Parts[1].Name = t.Parts[0].Name }, "is there twice"},
		{"no such role", func(t *Topology) { t.Parts[0].Role = "kitchen" }, `has role "kitchen"`},
		{"an address without a port", func(t *Topology) { t.Parts[0].Admin = "127.0.0.1" }, "must be host:port"},
		{"no book", func(t *Topology) {
			t.Parts = slices.DeleteFunc(t.Parts, func(p PartSpec) bool { return p.Role == RoleBook })
		}, "0 parts with role book"},
		{"a node without a part", func(t *Topology) {
			t.Parts = slices.DeleteFunc(t.Parts, func(p PartSpec) bool { return p.Name == "b2" })
		}, "node b2 is no part"},
		{"an edge without an address", func(t *Topology) {
			for i := range t.Parts {
				if t.Parts[i].Name == "a1" {
					t.Parts[i].Fixed = nil
				}
			}
		}, "no address for cardnet"},
		{"too few etcd members", func(t *Topology) {
			t.Parts = slices.DeleteFunc(t.Parts, func(p PartSpec) bool { return p.Role == RoleEtcd })
		}, "role etcd; it needs 3"},
		{"a strange layout", func(t *Topology) { t.Layout = "cloud" }, `layout is "cloud"`},
		{"a router that cannot be read", func(t *Topology) { t.Router = "strategy: dice\n" }, `strategy "dice"`},
		{"services without a proxy", func(t *Topology) { t.Router = "dataplane: client-side\nstrategy: random\n" }, "layout single only"},
		{"routers that know the truth", func(t *Topology) { t.Router = "discovery: oracle\npolicies: []\nstrategy: random\n" }, "layout single only"},
		{"names of hosts by DNS", func(t *Topology) {
			t.Layout, t.Router = LayoutContainers, "discovery: dns\npolicies: []\nstrategy: random\n"
		}, "which name servers have no addresses"},
		{"a negative load", func(t *Topology) { t.Load.RatePerS = -1 }, "load.rate_per_s"},
	} {
		t.Run(c.what, func(t *testing.T) {
			topology := placed(t)
			c.spoil(&topology)
			if err := topology.check(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestPartNames(t *testing.T) {
	topology := placed(t)
	for _, c := range []struct {
		of   string
		want string // names, or what the error says
	}{
		{"book", "book"},
		{"book nats", "book nats"},
		{"etcd/etcd-a1 apiserver/apiserver-b", "etcd-a1 apiserver-b"},
		{"etcd", "say which, such as etcd/etcd-a1"},
		{"etcd/etcd-z", "no such part"},
		{"kitchen", `role "kitchen"`},
		{"load", "no part with it"},
		{"book book", "asked for twice"},
	} {
		names, err := topology.PartNames(strings.Fields(c.of))
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%q: %s, want %s", c.of, got, c.want)
		}
	}
}

// TestWantedPartsFollowTheSettings: machines may be there that are not in use.
func TestWantedPartsFollowTheSettings(t *testing.T) {
	topology := placed(t)
	wanted := func(name string) bool {
		p, ok := topology.Part(name)
		if !ok {
			t.Fatalf("no part %s", name)
		}
		return topology.wanted(p)
	}
	if !wanted("c2") || !wanted("etcd-c1") || wanted("etcd-a2") {
		t.Errorf("c2 %v, etcd-c1 %v, etcd-a2 %v", wanted("c2"), wanted("etcd-c1"), wanted("etcd-a2"))
	}
	next, err := topology.With("registry_members: 4\nfallback: routed\n")
	if err != nil {
		t.Fatal(err)
	}
	if next.RegistryMembers != 4 || next.Fallback != "routed" || next.Router != topology.Router || len(next.Nodes) != 6 {
		t.Errorf("%+v", next)
	}
	if topology.RegistryMembers != 3 {
		t.Error("the settings changed the topology that they were applied to")
	}
	smaller, err := topology.With("nodes: [{name: a1, zone: a}]\nservices: [{name: cardnet, version: v1, nodes: [a1], fixed: true}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(smaller.Nodes) != 1 || len(smaller.Services) != 1 || len(topology.Nodes) != 6 || topology.Services[0].Name != "ledger" {
		t.Errorf("%d nodes and %d services of %d and %v", len(smaller.Nodes), len(smaller.Services), len(topology.Nodes), topology.Services)
	}
	for _, settings := range []string{"registry_members: 12\n", "no_such_key: 1\n", "dir: /\n", "layout: single\n", "token_file: /dev/null\n", "parts: []\n", "nodes: [{name: z9, zone: z}]\n"} {
		if _, err := topology.With(settings); err == nil {
			t.Errorf("settings %q are taken", settings)
		}
	}
}

// TestNextLife walks a part through what a stack of containers does to it.
func TestNextLife(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "book", "ledger")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	exists := func() bool {
		_, err := os.Stat(data)
		return err == nil
	}
	live := func() nextLife {
		t.Helper()
		n, err := readNextLife(dir, "book")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.begin(dir, "book"); err != nil {
			t.Fatal(err)
		}
		return n
	}
	end := func(how *adminv1.EndPartRequest) {
		t.Helper()
		if err := decide(dir, "book", how); err != nil {
			t.Fatal(err)
		}
	}
	if n := live(); n != (nextLife{}) || !exists() {
		t.Errorf("with nothing decided: %+v, data %v", n, exists())
	}
	end(&adminv1.EndPartRequest{})
	if n := live(); n != (nextLife{}) || !exists() {
		t.Errorf("after a plain end: %+v, data %v", n, exists())
	}
	end(&adminv1.EndPartRequest{Hold: true})
	if n := live(); !n.Hold || !exists() {
		t.Errorf("held: %+v, data %v", n, exists())
	}
	end(&adminv1.EndPartRequest{Generation: "g2", Settings: "seed: 2\n", Wipe: true})
	if n := live(); n.Hold || n.Generation != "g2" || n.Settings != "seed: 2\n" || exists() {
		t.Errorf("reset: %+v, data %v", n, exists())
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if n := live(); n.Generation != "g2" || n.Wipe || !exists() {
		t.Errorf("a start after the reset: %+v, data %v; it must wipe once only", n, exists())
	}
	end(&adminv1.EndPartRequest{Generation: "default", Wipe: true})
	if n := live(); n.Settings != "" || n.Generation != "default" || exists() {
		t.Errorf("set back: %+v, data %v", n, exists())
	}
}
