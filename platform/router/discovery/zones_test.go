package discovery

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"breakbank/platform/registry"
)

// TestZonesFromARegistry: an API server says where nodes are, and so does etcd.
func TestZonesFromARegistry(t *testing.T) {
	o := newOutage(t)
	record := &registry.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: "ledger"}}
	for i, node := range []string{"a1", "b1", "c1"} {
		labels := map[string]string{corev1.LabelTopologyZone: node[:1]}
		if node == "c1" {
			labels = nil
		}
		o.must(o.store.Create(t.Context(), nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node, Labels: labels}}))
		record.Subsets = append(record.Subsets, corev1.EndpointSubset{ //nolint:staticcheck // see registry.Endpoints
			Addresses: []corev1.EndpointAddress{{IP: "127.0.0.1", NodeName: &node}}, //nolint:staticcheck // as above
			Ports:     []corev1.EndpointPort{{Port: int32(i + 1)}},                  //nolint:staticcheck // as above
		})
	}
	o.must(o.store.Create(t.Context(), resource, record))
	want := map[string]string{"127.0.0.1:1": "a", "127.0.0.1:2": "b", "127.0.0.1:3": ""}
	for name, source := range map[string]Source{
		"API server": NewAPIServer("http://" + o.addrs[0]),
		"etcd":       Primary(NewEtcd(o.cluster.ClientAddrs)),
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			got := map[string]string{}
			runner := StartRunner(RunnerConfig{
				Core:    Config{Parser: linkerd2018, WatchNull: DropNull, Zones: true, Rand: rand.New(rand.NewPCG(1, 1))},
				Sources: []Source{source},
				Apply: func(changes []Publish, _ State) {
					mu.Lock()
					defer mu.Unlock()
					for _, change := range changes {
						for _, entry := range change.Entries {
							for _, e := range entry.Endpoints {
								got[e.Addr] = e.Zone
							}
						}
					}
				},
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			defer runner.Close()
			poll := time.NewTicker(5 * time.Millisecond)
			defer poll.Stop()
			known := func() bool {
				mu.Lock()
				defer mu.Unlock()
				return maps.Equal(got, want)
			}
			for deadline := time.Now().Add(patience); !known(); <-poll.C {
				if time.Now().After(deadline) {
					t.Fatalf("not within %v: %v, got %v", patience, want, got)
				}
			}
		})
	}
}

// What is known of nodes has a bound, and so have zone names.
func TestZonesAreBounded(t *testing.T) {
	c := New(Config{Parser: linkerd2018, Zones: true, Sources: []SourceInfo{{Name: "api-a"}}, Rand: rand.New(rand.NewPCG(1, 1))})
	many := map[string]string{}
	for i := range maxNodes + 100 {
		many[fmt.Sprintf("node-%05d", i)] = fmt.Sprintf("zone-%d", i%100)
	}
	c.located(Located{Zones: many})
	if len(c.zones.byNode) != maxNodes || len(c.zones.names) != maxZoneNames {
		t.Errorf("%d nodes and %d names are remembered", len(c.zones.byNode), len(c.zones.names))
	}
	if zone, known := c.zones.of([]byte("node-00070")); zone != "zone-70" || !known {
		t.Errorf("zone %q, %v", zone, known)
	}
}

// Where the nodes are known, a record with their names costs one allocation more
// than one without, for the zones' own list, and no text.
func TestZonesCostARecordLittle(t *testing.T) {
	z := newZones()
	for i := range 10 {
		z.byNode[fmt.Sprintf("node-%d", i)] = z.named([]byte("zone-a"))
	}
	wire := tenAddresses("ledger")
	if !strings.Contains(string(wire), `"nodeName":"node-9"`) {
		t.Fatal("the record names no nodes")
	}
	cost := func(z *zones) float64 {
		return testing.AllocsPerRun(100, func() {
			if e, err := linkerd2018.parse(wire, z); err != nil || (z != nil) != (e.Endpoints[9].Zone == "zone-a") {
				t.Fatalf("%+v, %v", e, err)
			}
		})
	}
	if without, with := cost(nil), cost(z); with > without+1 {
		t.Errorf("%v allocations with zones, %v without", with, without)
	}
}
