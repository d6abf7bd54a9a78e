// Package feed is where a data plane's table comes from. Usually that is the
// product's own discovery, which arms are made of policies for; the other feeds
// are what people use instead, or what nobody can have: real libraries, DNS,
// and the truth itself. They bring their own beliefs with them, so that an
// arm's policies and parser mean nothing to them.
package feed

import (
	"fmt"

	"breakbank/platform/router/discovery"
)

// Feed keeps a data plane's table until it is closed.
type Feed interface {
	// Testify reports what the data plane found. It never waits. A feed that
	// has no use for evidence ignores it.
	Testify(e discovery.Evidence)
	// Close stops everything and waits for it; Apply is not called any more.
	Close()
}

// Asked is a Feed that finds out only about names that somebody has asked for.
type Asked interface {
	// Ask says that a name was wanted which the table does not have. It never
	// waits.
	Ask(service string)
}

// Options are what a data plane knows. A feed uses what it needs of them.
type Options struct {
	// Runner is all that the product's own discovery needs. Its Apply and Log
	// are every feed's.
	Runner discovery.RunnerConfig
	// APIServers are base URLs, own zone first.
	APIServers []string
	// NameServers are host:port over UDP, own zone first.
	NameServers []string
	// Truth is what instances really serve; nil where nobody knows.
	Truth *Truth
}

// Own is the name of the product's own discovery.
const Own = "own"

// EtcdNaming is etcd's naming resolver, which feeds a gRPC channel and no
// table, so it is not started here: platform/router/clientside does that.
const EtcdNaming = "etcd-naming"

// Kind is a feed that an arm can name.
type Kind struct {
	Name, About string
	// Partial: the table holds some names only, so that one which is missing
	// says nothing about the feed.
	Partial bool
	start   func(Options) (Feed, error)
}

// Kinds is every feed there is. Adding one touches its own file and one line
// here.
var Kinds = []Kind{
	{Own, "the product's own discovery, as its policies say", false, startOwn},
	{"client-go", "a shared informer of client-go, as most software for Kubernetes has it", false, startInformer},
	{"dns", "SRV records, asked for by name and kept for their time to live", true, startDNS},
	{"oracle", "what instances really serve, known at once: a bound that nothing real can reach", true, startOracle},
	{EtcdNaming, "the naming resolver of etcd's client, inside a gRPC channel (dataplane client-side only)", true, nil},
}

// Names lists the feeds in table order.
func Names() []string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = k.Name
	}
	return names
}

// ByName finds a feed; "" is the product's own.
func ByName(name string) (Kind, error) {
	if name == "" {
		name = Own
	}
	for _, k := range Kinds {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("discovery %q is not one of %v", name, Names())
}

// Start starts the named feed, "" for the product's own. The sources in
// o.Runner are the feed's from now on. A feed that cannot be started, because
// the data plane was not given what it needs, never has a table, and its state
// says why.
func Start(name string, o Options) Feed {
	kind, err := ByName(name)
	if err == nil && kind.start == nil {
		err = fmt.Errorf("discovery %s feeds gRPC channels only", kind.Name)
	}
	if kind.Name != Own {
		for _, s := range o.Runner.Sources {
			s.Close() // Only the product's own discovery reads them.
		}
	}
	if err == nil {
		var started Feed
		if started, err = kind.start(o); err == nil {
			return started
		}
	}
	o.Runner.Log.Error("no discovery", "error", err)
	o.Runner.Apply(nil, discovery.State{Detail: err.Error()})
	return none{}
}

func startOwn(o Options) (Feed, error) { return discovery.StartRunner(o.Runner), nil }

// none is what is left of a feed that could not be started.
type none struct{}

func (none) Testify(discovery.Evidence) {}
func (none) Close()                     {}
