package router

import (
	"fmt"
	"slices"
	"testing"
)

// TestZoneAwareStaysAtHome: from what an API server says of nodes to where
// requests go.
func TestZoneAwareStaysAtHome(t *testing.T) {
	for _, p := range paths[:2] {
		t.Run(p.name, func(t *testing.T) {
			registry := newRegistryStub(t)
			registry.nodes = map[string]string{}
			on := map[string]instance{}
			home := map[string]bool{}
			for i := range 6 {
				zone := []string{"a", "b"}[i%2]
				node := fmt.Sprintf("node-%d", i)
				b := startBackend(t, fmt.Sprintf("echo-%d", i))
				registry.nodes[node], on[node] = zone, b.instance()
				home[b.name] = zone == "a"
			}
			registry.setOn("echo", on)
			r, addr := startRouterOn(t, registry, p, "{strategy: zone-aware, policies: [keep-last]}")
			<-r.Ready()
			eventually(t, "the zones are known", func() bool {
				s := r.table.lookup("echo")
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.view) == 6 && s.view[0].Zone != ""
			})
			client := dialRouter(t, addr, "echo")
			answered := map[string]int{}
			for range 60 {
				out, err := client.UnaryCall(t.Context(), ask("x"))
				if err != nil {
					t.Fatal(err)
				}
				answered[out.GetUsername()]++
			}
			for name := range answered {
				if !home[name] {
					t.Errorf("the router of zone a went to %s, in all %v", name, answered)
				}
			}
			if len(answered) != 3 {
				t.Errorf("of three at home these were used: %v", answered)
			}
		})
	}
}

// A zone that becomes known later costs no connection.
func TestZonesLeaveConnectionsAlone(t *testing.T) {
	registry := newRegistryStub(t)
	b := startBackend(t, "echo-1")
	registry.setOn("echo", map[string]instance{"node-1": b.instance()})
	r, addr := startRouter(t, registry, "{strategy: zone-aware, policies: [keep-last]}")
	<-r.Ready()
	if _, err := dialRouter(t, addr, "echo").UnaryCall(t.Context(), ask("x")); err != nil {
		t.Fatal(err)
	}
	s := r.table.lookup("echo")
	s.mu.Lock()
	before, entry := s.endpoints[0], s.entry
	s.mu.Unlock()
	if before.channel == nil {
		t.Fatal("no connection after a request")
	}
	entry.Endpoints = slices.Clone(entry.Endpoints)
	entry.Endpoints[0].Zone = "a"
	s.update(before.joined, entry)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endpoints[0] != before || s.view[0].Zone != "a" {
		t.Errorf("another endpoint, in zone %q", s.view[0].Zone)
	}
}
