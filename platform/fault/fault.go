// Package fault breaks the platform on purpose, each way with proof from its
// victim that it began and held.
//
// A fault is one file and one line in [Table]; the command line, the
// documentation, the suites and the tests iterate that table. What faults act
// on is [Victims]; what they do to the wire goes through a [Relay]. No part of
// the platform knows that it is being broken.
package fault

import (
	"context"
)

// Kind is one way of breaking the platform.
type Kind struct {
	// Name is what a script calls it, such as link-blackhole.
	Name string
	// About says in one line what it does, and which parameters it takes.
	About string
	// Momentary says that it happens and is over, and that whatever it hit heals
	// by itself: it may be injected again at once, and clearing it has nothing to
	// end.
	Momentary bool
	// Targets lists what it can be aimed at now.
	Targets func(Victims) []string
	// Without says why there may be nothing that it can be aimed at; empty for
	// what there always is.
	Without string
	// Inject begins it at one of its targets. It returns when the fault has
	// begun; a fault that cannot begin leaves nothing behind.
	Inject func(ctx context.Context, v Victims, target string, params map[string]string) (Active, error)
}

// Active is a fault that has been injected.
type Active interface {
	// Clear ends it and returns when it has ended. What heals by itself
	// (something that was restarted, say) has nothing to clear.
	Clear(ctx context.Context) error
	// Proof says what the victim shows of it. It only looks at counters: it
	// neither waits nor asks the network, and may be called at any time.
	Proof() Proof
}

// Proof is what a victim shows of a fault.
type Proof struct {
	Count    int64  // what the fault did, counted at its victim; 0 is no proof
	Evidence string // what was counted, in words
}

// Table lists every fault.
var Table = []Kind{
	linkBlackhole,
	linkLatency,
	linkReset,
	instanceKill,
	routerRestart,
	apiServerRestart,
	registryQuorumLoss,
	endpointsEmpty,
	endpointsNull,
	processKill,
	processPause,
}

// selfHealing is an Active with nothing to clear, whose proof was taken when
// it was injected.
type selfHealing struct{ proof Proof }

func (s selfHealing) Clear(context.Context) error { return nil }
func (s selfHealing) Proof() Proof                { return s.proof }
