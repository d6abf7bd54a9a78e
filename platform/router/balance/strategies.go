package balance

import "fmt"

// StrategyKind is a strategy that an arm can name.
type StrategyKind struct {
	Name, About string
	New         func() Strategy
}

// Strategies is every strategy there is. Adding one touches its own file and
// one line here; the command line, the docs and the conformance tests iterate
// this table.
var Strategies = []StrategyKind{
	{"random", "uniform among the healthy", func() Strategy {
		return &strategy{randomPicker{}, noLoad{}}
	}},
	{"round-robin", "the healthy in turn", func() Strategy {
		return &strategy{&roundRobin{}, noLoad{}}
	}},
	{"p2c-ewma", "the less loaded of two drawn at random, by peak-sensitive latency × requests pending (Finagle)", func() Strategy {
		return &strategy{powerOfTwo{}, newPeakEWMA(ewmaDecay)}
	}},
}

// Names lists the strategies in table order.
func Names() []string {
	names := make([]string, len(Strategies))
	for i, s := range Strategies {
		names[i] = s.Name
	}
	return names
}

// New returns a fresh strategy, one for each service.
func New(name string) (Strategy, error) {
	for _, s := range Strategies {
		if s.Name == name {
			return s.New(), nil
		}
	}
	return nil, fmt.Errorf("strategy %q is not one of %v", name, Names())
}
