package main

import (
	"slices"
	"testing"

	"breakbank/platform/router"
)

// TestRouterPoliciesAlone: what is left of the arm guarded for a router alone, by
// where it has its table from.
func TestRouterPoliciesAlone(t *testing.T) {
	for name, c := range map[string]struct {
		command routerCommand
		want    []string
	}{
		"a file": {routerCommand{Seed: "seed.yaml", SnapshotDir: "/s"}, []string{"identity"}},
		"Kubernetes": {
			routerCommand{KubeAPI: []string{"http://127.0.0.1:8001"}},
			[]string{"heartbeat", "identity", "quarantine", "shrink-guard"},
		},
		"Kubernetes, and a disk": {
			routerCommand{KubeAPI: []string{"http://127.0.0.1:8001"}, SnapshotDir: "/s"},
			[]string{"heartbeat", "identity", "quarantine", "shrink-guard", "snapshot"},
		},
		"etcd": {
			routerCommand{EtcdEndpoints: []string{"127.0.0.1:2379"}},
			[]string{"heartbeat", "identity", "quarantine", "shrink-guard"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := c.command.config()
			if err != nil {
				t.Fatal(err)
			}
			config, err := router.ParseConfig(text)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(config.Policies)
			if !slices.Equal(config.Policies, c.want) {
				t.Errorf("policies %v, want %v", config.Policies, c.want)
			}
		})
	}
}
