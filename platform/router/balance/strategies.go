package balance

import "fmt"

// StrategyKind is a strategy that an arm can name.
type StrategyKind struct {
	Name, About string
	Traits      Traits
	New         func() Strategy
}

// Traits is what a strategy claims of itself. The conformance suite holds each
// to it, and to not being better than it says.
type Traits struct {
	// Adapts: an instance ten times slower than the others gets less than
	// half of an equal share of a service that is half used.
	Adapts bool
	// Shuns: an instance that fails at once draws no more than an equal
	// share. Without it such an instance looks fast or idle, and draws up to
	// twice its share from those that compare two, nearly everything from
	// those that compare all, until an overlay takes it out.
	Shuns bool
	// Keyed: requests of one key go to one endpoint.
	Keyed bool
	// Partial: one caller uses a few of many endpoints; the share of an
	// endpoint is equal only over many callers.
	Partial bool
	// Reports: needs what instances say of themselves, with responses or
	// when probed, and without it is no better than a simpler one.
	Reports bool
}

// Strategies is every strategy there is. Adding one touches its own file and
// one line here; the command line, the docs and the conformance tests iterate
// this table.
var Strategies = []StrategyKind{
	{
		"random", "by weight among the healthy",
		Traits{Shuns: true},
		func() Strategy { return &strategy{&randomPicker{}, noLoad{}} },
	},
	{
		"round-robin", "the healthy in turn",
		Traits{Shuns: true},
		func() Strategy { return &strategy{&roundRobin{}, noLoad{}} },
	},
	{
		"weighted-rr", "in turn, as often as instances say they can (gRFC A58)",
		Traits{Adapts: true, Shuns: true, Reports: true},
		func() Strategy { return &weightedRR{} },
	},
	{
		"least-request", "of two drawn at random the one with fewer requests outstanding (Envoy, gRFC A48)",
		Traits{Adapts: true},
		func() Strategy { return &strategy{&powerOfTwo{}, newOutstanding()} },
	},
	{
		"least-request-full", "of all the one with fewest requests outstanding",
		Traits{Adapts: true},
		func() Strategy { return &strategy{fullScan{}, newOutstanding()} },
	},
	{
		"p2c-ewma", "the less loaded of two drawn at random, by peak-sensitive latency × requests pending (Finagle)",
		Traits{Adapts: true},
		func() Strategy { return &strategy{&powerOfTwo{}, newPeakEWMA(ewmaDecay)} },
	},
	{
		"p2c-kratos", "the better of two drawn at random, by success ÷ (√latency × pending), the unused now and then (go-kratos)",
		Traits{Adapts: true, Shuns: true},
		func() Strategy { return newKratos() },
	},
	{
		"prequal", "probes: the fastest of those with few requests in flight (Prequal)",
		Traits{Adapts: true, Shuns: true, Reports: true},
		func() Strategy { return &prequal{} },
	},
	{
		"jiq", "the one longest idle, else at random (join-idle-queue)",
		Traits{},
		func() Strategy { return &joinIdle{} },
	},
	{
		"jsq-oracle", "the shortest queue of all, as far as it is told: a bound, not a strategy for use",
		Traits{Adapts: true, Reports: true},
		func() Strategy { return &strategy{fullScan{}, newToldLoad()} },
	},
	{
		"ring-hash", "by key, on a ring of hashes, with bounded load (gRFC A42)",
		Traits{Adapts: true, Keyed: true},
		func() Strategy { return &hashing{table: &ring{}} },
	},
	{
		"maglev", "by key, from a table that all share equally, with bounded load (Maglev)",
		Traits{Adapts: true, Keyed: true},
		func() Strategy { return &hashing{table: &maglev{}} },
	},
	{
		"subset", "p2c-ewma among 12 of this caller's own (gRFC A68)",
		Traits{Adapts: true, Partial: true},
		func() Strategy { return newSubset(subsetDefault) },
	},
	{
		"subset-5", "p2c-ewma among 5 of this caller's own (gRFC A68)",
		Traits{Adapts: true, Partial: true},
		func() Strategy { return newSubset(subsetSmall) },
	},
	{
		"aperture", "p2c-ewma among at least 12 opposite this caller on a ring (Finagle)",
		Traits{Adapts: true, Partial: true},
		func() Strategy { return newAperture() },
	},
	{
		"zone-aware", "p2c-ewma in the caller's zone, as far as capacity there allows (Envoy)",
		Traits{Adapts: true},
		func() Strategy { return newZoneAware() },
	},
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
