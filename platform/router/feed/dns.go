package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"breakbank/platform/dns"
	"breakbank/platform/router/discovery"
)

const (
	// dnsQuestions bounds the names that wait to be looked at; one that does
	// not fit is asked for again by the next request.
	dnsQuestions = 64
	// dnsNamesMax bounds the names that are kept: callers choose them.
	dnsNamesMax = 10_000
	// dnsAgain is the pause after a name server did not answer.
	dnsAgain = time.Second
	// dnsTick is how often it is looked what has outlived its time.
	dnsTick = 100 * time.Millisecond
)

// resolution is what DNS said of one name.
type resolution struct {
	asking  bool
	denied  bool      // DNS says that there is nothing; forgotten when due
	due     time.Time // ask again
	heardAt time.Time // zero: never
	addrs   []string
}

// resolved is what the asking of one name brought.
type resolved struct {
	service string
	answer  dns.Answer
	err     error
}

// names is a feed that asks DNS for each name that is wanted, and again when
// the answer's time to live is over. A no, like no answer, keeps what was
// known: that is what a client does that has connections which work.
type names struct {
	resolver dns.Resolver
	apply    func([]discovery.Publish, discovery.State)
	log      *slog.Logger

	wanted  chan string
	answers chan resolved
	cancel  context.CancelFunc
	work    sync.WaitGroup

	known map[string]*resolution // touched by run only
}

var _ Asked = (*names)(nil)

func startDNS(o Options) (Feed, error) {
	if len(o.NameServers) == 0 {
		return nil, errors.New("discovery dns: there is no name server here")
	}
	n := &names{
		resolver: dns.Resolver{Servers: o.NameServers}, apply: o.Runner.Apply, log: o.Runner.Log,
		wanted: make(chan string, dnsQuestions), answers: make(chan resolved), known: map[string]*resolution{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.work.Go(func() { n.run(ctx) })
	return n, nil
}

// Testify is of no use: who finds instances by DNS has nobody to tell.
func (*names) Testify(discovery.Evidence) {}

// Ask has a name looked up that is not in the table.
func (n *names) Ask(service string) {
	select {
	case n.wanted <- service:
	default:
	}
}

func (n *names) Close() {
	n.cancel()
	n.work.Wait()
}

func (n *names) run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	tick := time.NewTicker(dnsTick)
	defer tick.Stop()
	n.apply(nil, n.state())
	for {
		select {
		case <-ctx.Done():
			return
		case service := <-n.wanted:
			if n.known[service] == nil && len(n.known) < dnsNamesMax {
				n.known[service] = &resolution{}
			}
			n.askDue(ctx, &asking)
		case r := <-n.answers:
			n.apply(n.take(r), n.state())
		case <-tick.C:
			n.askDue(ctx, &asking)
			n.apply(nil, n.state())
		}
	}
}

// askDue asks for every name whose answer has outlived its time.
func (n *names) askDue(ctx context.Context, asking *sync.WaitGroup) {
	now := time.Now()
	for service, r := range n.known {
		if r.asking || now.Before(r.due) {
			continue
		}
		if r.denied {
			delete(n.known, service) // It is asked for anew when it is wanted again.
			continue
		}
		r.asking = true
		asking.Go(func() {
			answer, err := n.resolver.Lookup(ctx, service)
			select {
			case n.answers <- resolved{service, answer, err}:
			case <-ctx.Done():
			}
		})
	}
}

// take makes an answer the table's, unless it says that there is nothing.
func (n *names) take(r resolved) []discovery.Publish {
	now, known := time.Now(), n.known[r.service]
	known.asking = false
	switch {
	case r.err != nil:
		known.due = now.Add(dnsAgain)
		n.log.Warn("DNS does not answer; what is known stays", "service", r.service, "error", r.err)
		return nil
	case len(r.answer.Addrs) == 0:
		known.due, known.denied = now.Add(r.answer.TTL), known.addrs == nil
		return nil
	}
	known.due, known.heardAt, known.addrs = now.Add(r.answer.TTL), now, r.answer.Addrs
	entry := discovery.Entry{Service: r.service}
	for _, addr := range r.answer.Addrs {
		entry.Endpoints = append(entry.Endpoints, discovery.Endpoint{Addr: addr})
	}
	return []discovery.Publish{{Entries: []discovery.Entry{entry}}}
}

// state is as old as the oldest answer in use.
func (n *names) state() discovery.State {
	s := discovery.State{Basis: discovery.FromSource, Source: "dns", Synced: true, Detail: "no name asked for yet"}
	for _, r := range n.known {
		if !r.heardAt.IsZero() && (s.HeardAt.IsZero() || r.heardAt.Before(s.HeardAt)) {
			s.HeardAt = r.heardAt
		}
	}
	if len(n.known) > 0 {
		s.Detail = fmt.Sprintf("asking DNS for %d names", len(n.known))
	}
	return s
}
