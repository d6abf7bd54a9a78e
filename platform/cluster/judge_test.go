package cluster

import (
	"testing"
	"time"

	"breakbank/platform/node"
	"breakbank/platform/router"
	adminv1 "breakbank/proto/admin/v1"
)

const (
	live     = adminv1.DiscoveryState_DISCOVERY_STATE_LIVE
	stale    = adminv1.DiscoveryState_DISCOVERY_STATE_STALE
	poisoned = adminv1.DiscoveryState_DISCOVERY_STATE_POISONED
	down     = adminv1.DiscoveryState_DISCOVERY_STATE_DOWN
	waiting  = adminv1.DiscoveryState_DISCOVERY_STATE_WAITING
)

func tableOf(addresses ...string) node.RouterStatus {
	return node.RouterStatus{Running: true, Status: router.Status{Table: map[string][]string{"ledger": addresses}}}
}

// TestTheJudgeHoldsTablesAgainstEtcd walks one router through everything that
// can be said of it.
func TestTheJudgeHoldsTablesAgainstEtcd(t *testing.T) {
	j := &judge{
		truth:    map[string]string{"ledger": "127.0.0.1:1 127.0.0.1:2", "pots": ""},
		verdicts: map[string]verdict{},
	}
	now := time.Unix(0, 0)
	for _, step := range []struct {
		what   string
		after  time.Duration
		status node.RouterStatus
		want   adminv1.DiscoveryState
		behind time.Duration
	}{
		{"a router that does not run", 0, node.RouterStatus{}, down, 0},
		{"one that runs and has no table yet", 0, node.RouterStatus{Running: true}, waiting, 0},
		{"one that cannot read any list", 0, node.RouterStatus{Running: true, Status: router.Status{Poisoned: true}}, poisoned, 0},
		{"etcd's addresses, in another order", 0, tableOf("127.0.0.1:2", "127.0.0.1:1"), live, 0},
		{"an update that is on its way", 0, tableOf("127.0.0.1:1"), live, 0},
		{"one that is late", judgeGrace, tableOf("127.0.0.1:1"), live, judgeGrace},
		{"one that does not come", time.Second, tableOf("127.0.0.1:1"), stale, judgeGrace + time.Second},
		{"addresses that moved on and are still old", time.Second, tableOf("127.0.0.1:3"), stale, judgeGrace + 2*time.Second},
		{"etcd's again", time.Second, tableOf("127.0.0.1:1", "127.0.0.1:2"), live, 0},
	} {
		now = now.Add(step.after)
		j.hear("a1", step.status, now)
		v := j.of("a1")
		var behind time.Duration
		if !v.behindSince.IsZero() {
			behind = now.Sub(v.behindSince)
		}
		if v.state != step.want || behind != step.behind {
			t.Errorf("%s: %v, behind for %v; want %v, %v", step.what, v.state, behind, step.want, step.behind)
		}
	}
}

func TestANameWithoutAddressesMisleadsNobody(t *testing.T) {
	j := &judge{truth: map[string]string{"pots": ""}}
	if wrong := j.wrongName(map[string][]string{"pots": {"127.0.0.1:9"}}, false); wrong != "" {
		t.Errorf("%s is called wrong, though nobody can be sent to it by etcd", wrong)
	}
}

func TestAddressesOfARecord(t *testing.T) {
	for record, want := range map[string]string{
		`{"subsets":[{"addresses":[{"ip":"10.0.0.2"},{"ip":"10.0.0.1"}],"ports":[{"port":80}]}]}`: "10.0.0.1:80 10.0.0.2:80",
		`{"subsets":null}`: "",
		`{"subsets":[]}`:   "",
		`not json`:         "",
	} {
		if got := joinAddresses(addressesIn([]byte(record))); got != want {
			t.Errorf("%s: %q, want %q", record, got, want)
		}
	}
}
