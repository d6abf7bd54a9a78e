package benign

import (
	"reflect"
	"slices"
	"testing"

	"breakbank/bench/arm"
	routing "breakbank/platform/router"
)

// testRatePerS is less than is played by default, for the race detector's sake.
const testRatePerS = 5

func play(t *testing.T, o Options) *Result {
	t.Helper()
	o.Services, o.RatePerS, o.Parser = DefaultServices, testRatePerS, "linkerd-2018"
	r, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGuardsDoNoHarm: over 1,000 operations that are what they look like, the
// arm guarded fails no request that keep-last serves, and follows a valid
// removal within a second at p99; nor does any of its policies by itself.
func TestGuardsDoNoHarm(t *testing.T) {
	guarded, err := arm.Load("guarded")
	if err != nil {
		t.Fatal(err)
	}
	config, err := routing.ParseConfig([]byte(guarded.Router))
	if err != nil {
		t.Fatal(err)
	}
	r := play(t, Options{Operations: DefaultOperations, Seed: 1, Policies: config.Policies})
	for _, a := range r.Arms {
		if !a.Harmless {
			t.Errorf("%s does harm: %+v", a.Name, a)
		}
	}
	if len(r.Operations) != len(operations)+1 {
		t.Errorf("not every kind of operation was played: %v", r.Operations)
	}
	if a := r.Arms[1]; a.Large.Count < 200 || a.Failed == r.Requests || a.Failed == 0 {
		t.Errorf("too little happened for that to mean anything: %+v", a)
	}
	t.Log("\n" + Text(r))
}

// TestHarmIsSeen: policies that are known to do harm are found out, each for
// what it does.
func TestHarmIsSeen(t *testing.T) {
	r := play(t, Options{Operations: 200, Seed: 1, Policies: []string{"refuse-empty", "die-silent"}})
	for _, a := range r.Arms[2:] {
		switch {
		case a.Name == "refuse-empty" && (a.Harmless || a.NotHonoured == 0):
			t.Errorf("it follows every removal: %+v", a)
		case a.Name == "die-silent" && (a.Harmless || a.Harmed == 0):
			t.Errorf("a router that stopped listening lost nothing: %+v", a)
		}
	}
}

func TestTheSameSeedIsTheSamePlay(t *testing.T) {
	o := Options{Operations: 100, Seed: 7, Policies: []string{"shrink-guard", "heartbeat"}}
	if a, b := play(t, o), play(t, o); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// What the registry says is true, or will be within a drain: otherwise the
// operations would not be benign.
func TestPlansAreTrue(t *testing.T) {
	for seed := range uint64(20) {
		p := newPlan(DefaultServices, 200, seed)
		if !slices.IsSortedFunc(p.writes, func(a, b write) int { return int(a.at - b.at) }) {
			t.Fatal("the registry goes back in time")
		}
		for _, w := range p.writes {
			for _, addr := range w.addrs {
				if i := p.instances[addr]; i.service != w.service || !p.answers(addr, w.at) {
					t.Fatalf("seed %d, %s at %v: nobody is at %s", seed, w.operation, w.at, addr)
				}
			}
		}
		for _, gone := range p.removals {
			if dies := p.instances[gone.addr].dies; dies < gone.at || dies > gone.at+longDrainMax {
				t.Fatalf("seed %d: %s was removed at %v and stops at %v", seed, gone.addr, gone.at, dies)
			}
		}
	}
}
