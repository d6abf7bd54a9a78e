package router

import (
	"context"
	"testing"
	"time"

	"breakbank/platform/router/discovery"
)

// TestAlive: who answers is who the table names, or it is not alive.
func TestAlive(t *testing.T) {
	known, plain := startInstance(t, "echo-1"), startBackend(t, "echo-2")
	for _, c := range []struct {
		name, service string
		endpoint      discovery.Endpoint
		want          bool
	}{
		{"the instance itself", "echo", discovery.Endpoint{Addr: known.addr, Instance: "echo-1"}, true},
		{"a table without names", "echo", discovery.Endpoint{Addr: known.addr}, true},
		{"another instance", "echo", discovery.Endpoint{Addr: known.addr, Instance: "echo-7"}, false},
		{"another service", "prepaid", discovery.Endpoint{Addr: known.addr}, false},
		{"a server without a health service", "echo", discovery.Endpoint{Addr: plain.addr, Instance: "echo-2"}, true},
		{"nobody", "echo", discovery.Endpoint{Addr: deadAddr(t)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if got := alive(ctx, c.service, c.endpoint); got != c.want {
				t.Errorf("alive is %v", got)
			}
		})
	}
}
