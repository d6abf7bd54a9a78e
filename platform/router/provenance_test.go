package router

import (
	"testing"
	"time"

	"breakbank/platform/router/discovery"
	"breakbank/platform/rpc"
)

// A table is live for as long as its source may be silent, by the source's own
// rhythm.
func TestALiveTableFollowsItsSource(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		heard, silentAfter time.Duration
		want               rpc.Route
	}{
		{2 * time.Second, 3 * time.Second, rpc.RouteLive},
		{4 * time.Second, 3 * time.Second, rpc.RouteStale},
		{50 * time.Second, 3 * time.Minute, rpc.RouteLive},
		{4 * time.Minute, 3 * time.Minute, rpc.RouteStale},
		{2 * time.Second, 0, rpc.RouteLive}, // a feed that knows no rhythm
		{4 * time.Second, 0, rpc.RouteStale},
	} {
		for _, basis := range []discovery.Basis{discovery.FromSource, discovery.FromPeer} {
			s := discovery.State{Basis: basis, HeardAt: now.Add(-c.heard), SilentAfter: c.silentAfter}
			if got, age := RouteOf(s, now); got != c.want || age != c.heard {
				t.Errorf("heard %v ago, silent after %v: %s, %v", c.heard, c.silentAfter, got, age)
			}
		}
	}
}
