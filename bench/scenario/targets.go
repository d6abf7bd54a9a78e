package scenario

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Targets are what steps may act on. They are handed in by whoever assembles
// the platform, so that a script is refused before anything starts.
type Targets struct {
	Services   []string
	Nodes      []string
	APIServers []string
	// Kinds are the kinds of object that API servers read from etcd through a
	// relay: the links that can be broken.
	Kinds []string
	// Parts are what runs as a process of its own, besides instances, where the
	// platform is several processes.
	Parts  []string
	Faults []Fault
}

// Fault is a fault that a script may inject, and what it is aimed at.
type Fault struct {
	Name string
	Aim  Aim
}

// Aim is a kind of victim; it says how a fault's targets are named.
type Aim int

const (
	// AimLinks are etcd connections: APISERVER/etcd/KIND.
	AimLinks Aim = iota
	// AimInstances are named when they start: SERVICE-VERSION-NUMBER-NODE.
	AimInstances
	// AimRouters are named as their nodes.
	AimRouters
	// AimAPIServers are the API servers.
	AimAPIServers
	// AimRegistry is the registry as a whole.
	AimRegistry
	// AimEndpoints are the Services whose records of endpoints are broken.
	AimEndpoints
	// AimProcesses are parts and instances; a platform that is one process has
	// none, which only the run finds out.
	AimProcesses
)

// DefaultTargets is the bank as breakbank assembles it, and the service pots,
// which the scripts of 2017 deploy.
var DefaultTargets = Targets{
	Services: []string{
		"balance", "cardauth", "cardnet", "feed", "fps", "gateway",
		"ledger", "payments", "pots", "prepaid", "standin",
	},
	Nodes:      []string{"a1", "a2", "b1", "b2", "c1", "c2"},
	APIServers: []string{"apiserver-a", "apiserver-b", "apiserver-c"},
	Kinds:      []string{"services", "endpoints", "endpointslices", "configmaps"},
	Parts: []string{
		"etcd-a1", "etcd-b1", "etcd-c1", "etcd-a2", "etcd-b2", "etcd-c2", "etcd-a3", "etcd-b3", "etcd-c3",
		"apiserver-a", "apiserver-b", "apiserver-c", "a1", "a2", "b1", "b2", "c1", "c2", "book", "nats",
	},
	Faults: []Fault{
		{"link-blackhole", AimLinks},
		{"link-latency", AimLinks},
		{"link-reset", AimLinks},
		{"instance-kill", AimInstances},
		{"router-restart", AimRouters},
		{"apiserver-restart", AimAPIServers},
		{"registry-quorum-loss", AimRegistry},
		{"endpoints-empty", AimEndpoints},
		{"endpoints-null", AimEndpoints},
		{"process-kill", AimProcesses},
		{"process-pause", AimProcesses},
	},
}

// registryName is the one target of faults on the registry as a whole.
const registryName = "registry"

// FaultNames lists the names of the faults, in their order.
func (t Targets) FaultNames() []string {
	names := make([]string, len(t.Faults))
	for i, f := range t.Faults {
		names[i] = f.Name
	}
	return names
}

// CheckTarget says whether a fault can be aimed so, as far as that is known
// before anything runs, and what would be valid. A target is a name, several
// with commas between them, or patterns as of [path.Match]; each must mean
// something.
func (t Targets) CheckTarget(fault, target string) (valid string, ok bool) {
	i := slices.IndexFunc(t.Faults, func(f Fault) bool { return f.Name == fault })
	if i < 0 {
		return "a fault of " + strings.Join(t.FaultNames(), ", "), false
	}
	means, valid := t.meaning(t.Faults[i].Aim)
	for part := range strings.SplitSeq(target, ",") {
		if !means(strings.TrimSpace(part)) {
			return valid, false
		}
	}
	return valid, true
}

// meaning says which names or patterns mean a victim, and lists them in words.
func (t Targets) meaning(aim Aim) (means func(pattern string) bool, valid string) {
	var names []string
	switch aim {
	case AimInstances:
		return t.meansInstance, t.instancesInWords()
	case AimProcesses:
		means := func(pattern string) bool { return meansOne(t.Parts, pattern) || t.meansInstance(pattern) }
		return means, strings.Join(t.Parts, ", ") + ", or " + t.instancesInWords()
	case AimLinks:
		names = linkNames(t.APIServers, t.Kinds)
	case AimRouters:
		names = t.Nodes
	case AimAPIServers:
		names = t.APIServers
	case AimRegistry:
		names = []string{registryName}
	case AimEndpoints:
		names = t.Services
	}
	return func(pattern string) bool { return meansOne(names, pattern) }, strings.Join(names, ", ")
}

// meansOne says whether a pattern meets one of the names.
func meansOne(names []string, pattern string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		met, err := path.Match(pattern, name)
		return err == nil && met
	})
}

func (t Targets) instancesInWords() string {
	return "SERVICE-VERSION-NUMBER-NODE such as ledger-v2-7-b2, or a pattern such as ledger-*; services: " +
		strings.Join(t.Services, ", ") + "; nodes: " + strings.Join(t.Nodes, ", ")
}

// meansInstance says whether there may be such an instance. Which versions and
// numbers there are, only the run decides; of a pattern no more is known than
// what it begins with.
func (t Targets) meansInstance(pattern string) bool {
	if _, err := path.Match(pattern, ""); err != nil {
		return false
	}
	return slices.ContainsFunc(t.Services, func(service string) bool {
		begins := service + "-v"
		if wild := strings.IndexAny(pattern, `*?[\`); wild >= 0 {
			known := min(wild, len(begins))
			return pattern[:known] == begins[:known]
		}
		rest, ok := strings.CutPrefix(pattern, begins)
		words := strings.SplitN(rest, "-", 3)
		return ok && len(words) == 3 && isNumber(words[0]) && isNumber(words[1]) && slices.Contains(t.Nodes, words[2])
	})
}

func isNumber(word string) bool {
	n, err := strconv.Atoi(word)
	return err == nil && n > 0
}

// linkNames names the link of each API server to etcd for each kind.
func linkNames(apiServers, kinds []string) []string {
	names := make([]string, 0, len(apiServers)*len(kinds))
	for _, server := range apiServers {
		for _, kind := range kinds {
			names = append(names, server+"/etcd/"+kind)
		}
	}
	return names
}
