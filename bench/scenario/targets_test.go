package scenario_test

import (
	"testing"

	"breakbank/bench/scenario"
)

// TestCheckTarget aims each fault at what it has and at what it has not.
func TestCheckTarget(t *testing.T) {
	aims := map[string]struct{ good, bad []string }{
		"link-blackhole": {
			[]string{"apiserver-a/etcd/endpoints", "apiserver-*/etcd/endpoints", "apiserver-a/etcd/*, apiserver-b/etcd/services"},
			[]string{"apiserver-a/etcd/pods", "apiserver-d/etcd/endpoints", "apiserver-*", "*", "apiserver-a/etcd/[", "apiserver-a/etcd/*,", ""},
		},
		"instance-kill": {
			[]string{"ledger-v2-7-b2", "ledger-*", "ledger-v1-*,feed-*", "*-b2", "ledg*"},
			[]string{"ledger", "ledger-v2-7-d2", "ledger-2-7-b2", "ledger-v2-b2", "ledger-vx-7-b2", "kettle-*", "ledger-x*", "ledger-[", ""},
		},
		"router-restart":       {[]string{"a1", "a1,c2", "b*"}, []string{"d1", "a1,d1", "apiserver-a", ""}},
		"apiserver-restart":    {[]string{"apiserver-c", "apiserver-*"}, []string{"a1", "apiserver-d"}},
		"registry-quorum-loss": {[]string{"registry"}, []string{"etcd-a1", "registry/1"}},
		"process-kill": {
			[]string{"etcd-b1", "etcd-*", "apiserver-a,a1", "book", "nats", "ledger-v2-7-b2", "ledger-*"},
			[]string{"etcd", "control", "d1", "etcd-a1,kettle", "ledger-v2-7-d2", ""},
		},
		"endpoints-null": {[]string{"ledger", "pots"}, []string{"kettle", "ledger-v1-1-a2"}},
	}
	for fault, aim := range aims {
		for _, target := range aim.good {
			if valid, ok := scenario.DefaultTargets.CheckTarget(fault, target); !ok {
				t.Errorf("%s at %q is refused; valid: %s", fault, target, valid)
			}
		}
		for _, target := range aim.bad {
			if valid, ok := scenario.DefaultTargets.CheckTarget(fault, target); ok || valid == "" {
				t.Errorf("%s at %q is accepted, or nothing is said to be valid", fault, target)
			}
		}
	}
	if _, ok := scenario.DefaultTargets.CheckTarget("earthquake", "a1"); ok {
		t.Error("an unknown fault has targets")
	}
}
