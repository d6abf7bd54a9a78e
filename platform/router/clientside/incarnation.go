package clientside

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"breakbank/platform/router"
	"breakbank/platform/router/discovery"
	"breakbank/platform/router/feed"
)

// Incarnation is what one configuration made of a node's libraries. To the
// node agent it is the node's router.
type Incarnation struct {
	plane    *Plane
	config   router.Config
	listener net.Listener

	libraries map[*Caller]library // guarded by the plane's lock
	over      bool                // as above: it has been killed

	once  sync.Once
	ready chan struct{}
	end   sync.Once

	// Of all callers, those that have ended included.
	requests, attempts, etcdReads atomic.Int64
}

// add makes the library of a caller. The caller of it holds the plane's lock.
func (i *Incarnation) add(c *Caller) {
	l := i.plane.library(c, i)
	i.libraries[c] = l
	if i.plane.current == i {
		c.install(l)
	}
}

// look sees whether the incarnation has become ready. If so, and another is
// the current one, it takes that one's place.
func (i *Incarnation) look() {
	p := i.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range i.libraries {
		if !l.ready() {
			return
		}
	}
	if !i.over && p.current != i && !i.isReady() {
		p.current = i
		for c, l := range i.libraries {
			c.install(l)
		}
	}
	i.once.Do(func() { close(i.ready) })
}

func (i *Incarnation) isReady() bool {
	select {
	case <-i.ready:
		return true
	default:
		return false
	}
}

// Ready is closed once every caller knows whom to call.
func (i *Incarnation) Ready() <-chan struct{} { return i.ready }

// Drain ends the incarnation. There is nothing to wait for: calls under way
// are the channels', which stay.
func (i *Incarnation) Drain(context.Context) error {
	i.Kill()
	return nil
}

// Kill ends the incarnation and waits for that. Unless another has taken its
// place, its callers find nobody from then on.
func (i *Incarnation) Kill() {
	i.end.Do(func() {
		p := i.plane
		p.mu.Lock()
		i.over = true
		delete(p.alive, i)
		if p.current == i {
			p.current = nil
			for c := range i.libraries {
				c.install(nil)
			}
		}
		libraries := i.libraries
		i.libraries = nil
		p.mu.Unlock()
		for _, l := range libraries {
			l.close()
		}
		i.listener.Close()
	})
}

// Status is that of the library which is worst off: a node is served no better
// than the least of its callers. Of tables that hold only what was asked for
// there is no worst, so that each name is as the worst off has it that has it.
// Requests and attempts are all callers'.
func (i *Incarnation) Status() router.Status {
	s := router.Status{
		Requests: i.requests.Load(), Attempts: i.attempts.Load(), EtcdReads: i.etcdReads.Load(),
		Synced: true, Partial: true, Table: map[string][]string{}, Detail: "no instance here has called another",
	}
	all := i.standings()
	if len(all) == 0 {
		return s
	}
	worst := all[0]
	kind, _ := feed.ByName(i.config.Discovery) // The configuration was checked.
	s.Synced, s.Poisoned, s.Source = worst.state.Synced, worst.state.Poisoned, worst.state.Source
	s.Revision, s.LastHeardAt = worst.state.Revision, worst.state.HeardAt
	s.Partial, s.Table = kind.Partial, worst.table
	s.Detail = fmt.Sprintf("%s: %s", worst.instance, worst.state.Detail)
	for _, other := range all {
		s.EtcdReads += other.etcdReads
		for name, addrs := range other.table {
			if _, has := s.Table[name]; !has && s.Partial {
				s.Table[name] = addrs
			}
		}
	}
	s.Names = len(s.Table)
	return s
}

// standing is how one caller stands.
type standing struct {
	instance  string
	state     discovery.State
	table     map[string][]string
	etcdReads int64
}

// standings returns all callers', the worst off first: without a table, then
// behind, then long without news.
func (i *Incarnation) standings() []standing {
	i.plane.mu.Lock()
	defer i.plane.mu.Unlock()
	var all []standing
	for c, l := range i.libraries {
		all = append(all, standing{c.instance, l.state(), l.addresses(), l.etcdReads()})
	}
	slices.SortFunc(all, func(a, b standing) int {
		return cmp.Or(
			cmp.Compare(a.state.Basis, b.state.Basis),
			cmp.Compare(a.state.Revision, b.state.Revision),
			a.state.HeardAt.Compare(b.state.HeardAt),
			cmp.Compare(a.instance, b.instance),
		)
	})
	return all
}
