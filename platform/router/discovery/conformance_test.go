package discovery

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What each policy believes in each situation. The router knows `ledger` at
// three addresses, and is asked again when the situation (below) has lasted:
//
//	before   the three addresses that it knew
//	now      what the registry truly says by then
//	both     those together
//	rest     the three but one, behind which is somebody else
//	none     a service without endpoints
//	pending  no table at all
//
// Policies stand here alone first, where a row is mostly what the core does by
// itself, and then in company that changes what they do.
const conformance = `
                                zero   lost   shrunk replaced null    malformed stale  back   unreachable cold    recovery reused

accept-all                      none   none   now    now      pending pending   before before pending     pending now      before
die-silent                      none   none   now    now      pending before    before now    before      pending before   before
keep-last                       none   none   now    now      pending before    before before before      pending now      before
refuse-empty                    before before now    now      pending before    before before before      pending now      before
ttl-closed-30s                  none   none   now    now      pending before    before before none        pending now      before
ttl-closed-300s                 none   none   now    now      pending before    before before before      pending now      before
advisory-removal                none   before before now      pending before    before both   before      pending now      before
active-veto                     none   before before now      pending before    before both   before      pending now      before
shrink-guard                    none   before before now      pending before    before both   before      pending now      before
snapshot                        none   none   now    now      before  before    before before before      before  now      before
seed                            none   none   now    now      before  before    before before before      before  now      before
config-snapshot                 none   none   now    now      pending before    before before before      pending now      before
quarantine                      none   none   now    now      now     now       before before before      pending now      before
heartbeat                       none   none   now    now      pending before    now    now    before      pending now      before
gossip                          none   none   now    now      pending before    before before before      pending now      before
identity                        none   none   now    now      pending before    before before before      pending now      rest
make-before-break               none   none   now    now      pending before    before before before      pending now      before

heartbeat,gossip                none   none   now    now      pending before    now    now    before      now     now      before
heartbeat,quarantine            none   none   now    now      now     now       now    now    before      pending now      before
die-silent,heartbeat            none   none   now    now      pending before    now    now    before      pending before   before
advisory-removal,heartbeat      none   before before now      pending before    now    now    before      pending now      before
refuse-empty,shrink-guard       before before before now      pending before    before both   before      pending now      before
ttl-closed-30s,snapshot         none   none   now    now      before  before    before before none        before  now      before
ttl-closed-30s,shrink-guard     none   none   now    now      pending before    before both   none        pending now      before
accept-all,snapshot             none   none   now    now      pending pending   before before pending     pending now      before
accept-all,seed                 none   none   now    now      before  before    before before before      before  now      before

guarded                         none   before before now      now     now       now    now    before      now     now      rest
guarded-refusing                before before now    now      now     now       now    now    before      before  now      rest
`

// companies are the sets of policies that have a name above: those of the arm
// guarded, and of what it was before there was shrink-guard.
var companies = map[string]string{
	"guarded":          "keep-last,shrink-guard,snapshot,config-snapshot,quarantine,heartbeat,gossip,identity,make-before-break",
	"guarded-refusing": "keep-last,refuse-empty,snapshot,config-snapshot,quarantine,heartbeat,identity,make-before-break",
}

// situation is one kind of trouble.
type situation struct {
	name string
	// parser is linkerd2018 where none is named.
	parser *Parser
	happen func(l *lab)
	// now is what the registry truly says at the end.
	now []string
}

var (
	addrsBefore = []string{"a:1", "b:1", "c:1"}
	addrsNow    = []string{"a:2", "b:2", "c:2"}
)

var situations = []situation{
	{
		// Scaled to zero: the record is empty, and nobody is there.
		name: "zero",
		happen: func(l *lab) {
			l.kill(addrsBefore...)
			l.registry.setRaw("ledger", "null")
			l.run(2 * time.Second)
		},
	},
	{
		// The record is empty, and everybody is there and well.
		name: "lost",
		happen: func(l *lab) {
			l.registry.set("ledger")
			l.run(time.Minute)
		},
	},
	{
		// The record has lost two addresses of three that are there and well.
		name: "shrunk",
		happen: func(l *lab) {
			l.registry.set("ledger", "a:1")
			l.run(time.Minute)
		},
		now: addrsBefore[:1],
	},
	{
		// A deploy that the router sees in one: all addresses are new, and the
		// old instances have stopped.
		name: "replaced",
		happen: func(l *lab) {
			l.deploy()
			l.run(2 * time.Second)
		},
		now: addrsNow,
	},
	{
		// A router of 2017 starts after a deploy, and some other service's record
		// says null.
		name: "null", parser: &linkerd2017,
		happen: func(l *lab) {
			l.deploy()
			l.registry.setRaw("pots", "null")
			l.start()
			l.run(5 * time.Second)
		},
		now: addrsNow,
	},
	{
		// Some other service's record cannot be read. There has been a deploy,
		// and the router has to list again.
		name: "malformed",
		happen: func(l *lab) {
			l.set(dark)
			l.deploy()
			l.registry.setRaw("pots", `"?"`)
			l.set(well)
			l.breakWatches(true)
			l.run(2 * time.Second)
		},
		now: addrsNow,
	},
	{
		// The API servers are dark, and there is a deploy. etcd is well.
		name: "stale",
		happen: func(l *lab) {
			l.set(dark, 0, 1, labPeer)
			l.deploy()
			l.run(5 * time.Second)
		},
		now: addrsNow,
	},
	{
		// There was a deploy. One API server fails, and the other still says
		// what was before it: it is behind, and says so in good faith.
		name: "back",
		happen: func(l *lab) {
			l.lagging = l.registry.clone()
			l.deploy()
			l.run(2 * time.Second)
			l.set(down, 0, labPeer)
			l.set(lagging, 1)
			l.run(10 * time.Second)
		},
		now: addrsNow,
	},
	{
		// Nobody can be reached, for a minute. All that was known is still so.
		name: "unreachable",
		happen: func(l *lab) {
			l.breakWatches(true)
			l.set(down)
			l.run(time.Minute)
		},
		now: addrsBefore,
	},
	{
		// The router starts after a deploy, and nobody can be reached but
		// another router, which has seen it.
		name: "cold",
		happen: func(l *lab) {
			l.deploy()
			l.set(down, 0, 1, labEtcd)
			l.start()
			l.run(5 * time.Second)
		},
		now: addrsNow,
	},
	{
		// Nobody could be reached for a minute, in which there was a deploy. Then
		// everybody is well, for half a minute.
		name: "recovery",
		happen: func(l *lab) {
			l.set(down)
			l.deploy()
			l.run(time.Minute)
			l.set(well)
			l.run(30 * time.Second)
		},
		now: addrsNow,
	},
	{
		// An instance has stopped and its port was given to another service,
		// which turns a request away. The registry does not know yet.
		name: "reused",
		happen: func(l *lab) {
			l.step(Evidence{Kind: Misdelivered, Service: "ledger", Addr: "a:1"})
			l.run(5 * time.Second)
		},
		now: addrsBefore,
	},
}

// newSituation is a lab settled on what was before.
func newSituation(t *testing.T, s situation, policies []Policy) *lab {
	parser := linkerd2018
	if s.parser != nil {
		parser = *s.parser
	}
	l := newLab(parser, policies, 1)
	l.config.Seed = Addresses{"ledger": addrsBefore, "prepaid": {"p:1"}}
	for _, addr := range append(slices.Clone(addrsBefore), "p:1") {
		l.alive[addr] = true
	}
	l.registry.set("prepaid", "p:1")
	l.registry.set("ledger", addrsBefore...)
	l.start()
	l.run(20 * time.Second)
	if l.believes(s) != "before" {
		t.Fatalf("it does not settle: %v", l.table)
	}
	return l
}

// deploy replaces all instances of ledger.
func (l *lab) deploy() {
	l.kill(addrsBefore...)
	for _, addr := range addrsNow {
		l.alive[addr] = true
	}
	l.registry.set("ledger", addrsNow...)
}

func (l *lab) kill(addrs ...string) {
	for _, addr := range addrs {
		delete(l.alive, addr)
	}
}

// believes says in a word of the table above what the router believes.
func (l *lab) believes(s situation) string {
	addrs, known := l.table["ledger"]
	is := func(want ...string) bool {
		want = slices.Clone(want)
		slices.Sort(want)
		return slices.Equal(addrs, slices.Compact(want))
	}
	switch {
	case l.pending:
		return "pending"
	case !known, len(addrs) == 0:
		return "none"
	case is(addrsBefore[1:]...):
		return "rest"
	case is(addrsBefore...):
		return "before"
	case is(s.now...):
		return "now"
	case is(slices.Concat(addrsBefore, s.now)...):
		return "both"
	}
	return strings.Join(addrs, " ")
}

// splitCompany returns the policies' names of a row.
func splitCompany(row string) []string {
	if company, ok := companies[row]; ok {
		row = company
	}
	return strings.Split(row, ",")
}

func TestConformance(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(conformance), "\n")
	columns := strings.Fields(rows[0])
	tested := map[string]bool{}
	for _, row := range rows[1:] {
		words := strings.Fields(row)
		if len(words) == 0 {
			continue
		}
		if len(words) != len(columns)+1 {
			t.Fatalf("%q: want a word for each of %v", row, columns)
		}
		tested[words[0]] = true
		policies, err := PoliciesByName(splitCompany(words[0]))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(words[0], func(t *testing.T) {
			for i, s := range situations {
				if s.name != columns[i] {
					t.Fatalf("column %q is situation %q", columns[i], s.name)
				}
				l := newSituation(t, s, policies)
				s.happen(l)
				if got := l.believes(s); got != words[i+1] {
					t.Errorf("%s: %s, want %s; the table is %v", s.name, got, words[i+1], l.table)
				}
			}
		})
	}
	for _, p := range Policies {
		if !tested[p.Name()] {
			t.Errorf("no row says what %s does", p.Name())
		}
	}
}
