package discovery

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Holding is for arms with a keeper: what the registry took out of a service
// stays in use until its terms end it.
//
//	record takes addresses out --a keeper has a reason--> held, probed
//	held --a probe is refused, or two in a row are late--> gone
//	held --the data plane finds somebody else there------> gone
//	held --it cannot connect-----------------------------> probed at once, or gone
//	held --a record names it again-----------------------> in use as before
//	held --enough newcomers answer-----------------------> gone
//
// It is decided afresh at each record, against what is in use: so a list that
// repeats the loss changes nothing, and one that takes out little ends it.

const (
	// maxKept bounds what is kept of one service; beyond it the longest kept
	// goes. It is twice the largest service that is foreseen.
	maxKept = 2_000
	// usualWindow is how far back a service's usual size reaches. Losing its
	// instances one at a time within it is losing them together.
	usualWindow = 10 * time.Second
)

// hold is what is kept of one service.
type hold struct {
	by    keeper
	usual int
	stays []*visit // sorted by address
	// What may prove that the addresses were replaced: those of the record
	// that were in use before, and those that must answer first.
	standing  int
	newcomers []*visit // sorted by address
}

// Kept is what a snapshot keeps of a hold.
type Kept struct {
	Service   string
	Endpoints []Endpoint
	Usual     int
}

// usual is the size of a service of late.
type usual struct {
	size int
	at   time.Time
}

// noteUsual is told of a service's size before and after each record, as the
// registry has it, and returns its usual size before.
func (c *Core) noteUsual(service string, before, after int) int {
	u, known := c.usual[service]
	if !known || c.now.Sub(u.at) > usualWindow {
		u = usual{size: before, at: c.now}
	}
	size := u.size
	if after >= u.size {
		u = usual{size: after, at: c.now}
	}
	if after == 0 && before == 0 {
		delete(c.usual, service)
	} else {
		c.usual[service] = u
	}
	return size
}

// keep asks the policies which of the addresses that a record takes out stay.
func (c *Core) keep(old, changed Entry) {
	if len(c.keepers) == 0 {
		return
	}
	change := Change{Old: old, New: changed, Usual: c.noteUsual(changed.Service, len(c.said[changed.Service].Endpoints), len(changed.Endpoints))}
	for _, ep := range old.Endpoints {
		if !changed.names(ep.Addr) && !c.accusations.against(old.Service, ep.Addr, c.now) {
			change.Gone = append(change.Gone, ep)
		}
	}
	if len(change.Gone) > 0 {
		for _, k := range c.keepers {
			if reason := k.Keep(change); reason != "" {
				c.hold(k, change, reason)
				return
			}
		}
	}
	c.endHold(changed.Service)
}

// names says whether an entry in order has an address.
func (e Entry) names(addr string) bool {
	_, found := slices.BinarySearchFunc(e.Endpoints, Endpoint{Addr: addr}, byAddr)
	return found
}

// hold keeps what a change would take out. What was held before goes on where
// it was.
func (c *Core) hold(by keeper, change Change, reason string) {
	service := change.New.Service
	before := c.holds[service]
	h := &hold{by: by, usual: change.Usual}
	if before == nil || before.by != by {
		c.endHold(service)
		before = &hold{}
	} else {
		h.usual = max(h.usual, before.usual)
	}
	fresh := 0
	for _, ep := range change.Gone {
		stay := find(before.stays, ep)
		if stay == nil {
			stay = c.visit(service, ep, by.Terms().Probed)
			fresh++
		}
		h.stays = append(h.stays, stay)
	}
	if by.Terms().EndsWhenReplaced {
		for _, ep := range change.New.Endpoints {
			switch visit := find(before.newcomers, ep); {
			case visit != nil:
				h.newcomers = append(h.newcomers, visit)
			case change.Old.names(ep.Addr):
				h.standing++
			default:
				newcomer := c.visit(service, ep, true)
				newcomer.newcomer = true
				h.newcomers = append(h.newcomers, newcomer)
			}
		}
	}
	before.setOver(true)
	h.setOver(false) // what was taken over goes on
	c.holds[service] = h
	c.saver.changed()
	c.touch(service)
	if fresh > 0 {
		level := slog.LevelInfo
		if 2*len(change.New.Endpoints) < change.Usual {
			level = slog.LevelWarn // somebody should look at the registry
		}
		c.logf(level, "%s keeps %d of %q: %s", by.Name(), fresh, service, reason)
	}
	c.boundHold(service)
	c.endIfReplaced(service)
}

// find returns the visit to an endpoint, nil if there is none.
func find(visits []*visit, ep Endpoint) *visit {
	i, found := slices.BinarySearchFunc(visits, ep, func(v *visit, ep Endpoint) int { return byAddr(v.endpoint, ep) })
	if !found || !visits[i].endpoint.is(ep) {
		return nil
	}
	return visits[i]
}

// setOver says of all visits whether anybody still wants to know.
func (h *hold) setOver(over bool) {
	for _, visits := range [][]*visit{h.stays, h.newcomers} {
		for _, v := range visits {
			v.over = over
		}
	}
}

// addTo returns an entry with what is held added.
func (h *hold) addTo(e Entry) Entry {
	e.Endpoints = slices.Clone(e.Endpoints)
	for _, stay := range h.stays {
		e.Endpoints = append(e.Endpoints, stay.endpoint)
	}
	return e.inOrder()
}

// endHold lets everything go that is kept of a service.
func (c *Core) endHold(service string) {
	h := c.holds[service]
	if h == nil {
		return
	}
	h.setOver(true)
	delete(c.holds, service)
	c.saver.changed()
	c.touch(service)
}

// letGo lets one address go.
func (c *Core) letGo(stay *visit, why string) {
	h := c.holds[stay.service]
	c.logf(slog.LevelInfo, "%s lets %s of %q go: %s", h.by.Name(), stay.endpoint.Addr, stay.service, why)
	if len(h.stays) == 1 {
		c.endHold(stay.service)
		return
	}
	stay.over = true
	h.stays = slices.DeleteFunc(h.stays, func(v *visit) bool { return v == stay })
	c.saver.changed()
	c.touch(stay.service)
}

// boundHold lets go what is too much to keep, the longest kept first.
func (c *Core) boundHold(service string) {
	h := c.holds[service]
	excess := len(h.stays) - maxKept
	if excess <= 0 {
		return
	}
	bySince := slices.SortedStableFunc(slices.Values(h.stays), func(a, b *visit) int { return a.since.Compare(b.since) })
	for _, stay := range bySince[:excess] {
		stay.over = true
	}
	h.stays = slices.DeleteFunc(h.stays, func(v *visit) bool { return v.over })
	c.logf(slog.LevelWarn, "%s lets %d of %q go: %d are kept already", h.by.Name(), excess, service, maxKept)
}

// endIfReplaced ends a hold whose addresses have successors.
func (c *Core) endIfReplaced(service string) {
	h := c.holds[service]
	if h == nil || !h.by.Terms().EndsWhenReplaced {
		return
	}
	answering := h.standing
	for _, v := range h.newcomers {
		if v.answered {
			answering++
		}
	}
	if answering == 0 || 2*answering < h.usual {
		return
	}
	c.logf(slog.LevelInfo, "%s lets %d of %q go: %d others answer in their place", h.by.Name(), len(h.stays), service, answering)
	c.endHold(service)
}

// heldFound takes evidence about an address that is held; false if it is not.
func (c *Core) heldFound(e Evidence) bool {
	h := c.holds[e.Service]
	if h == nil {
		return false
	}
	for _, stay := range h.stays {
		switch {
		case stay.endpoint.Addr != e.Addr:
			continue
		case e.Kind == Unreachable && h.by.Terms().Probed:
			c.probes.hurry(stay, c.now) // it may be our own link: ask
		default:
			c.letGo(stay, e.Kind.String())
		}
		return true
	}
	return false
}

// expireStays ends the stay of what no record has named for a TTL.
func (c *Core) expireStays() {
	for _, service := range sortedNames(c.holds) {
		for _, stay := range slices.Clone(c.holds[service].stays) {
			if c.now.Sub(stay.since) >= c.ttl {
				c.letGo(stay, fmt.Sprintf("no record has named it for %v", c.ttl))
			}
		}
	}
}

// kept is what a snapshot keeps of all holds.
func (c *Core) kept() []Kept {
	var all []Kept
	for _, service := range sortedNames(c.holds) {
		k := Kept{Service: service, Usual: c.holds[service].usual}
		for _, stay := range c.holds[service].stays {
			k.Endpoints = append(k.Endpoints, stay.endpoint)
		}
		all = append(all, k)
	}
	return all
}

// holdAgain takes up a hold after a restart: the registry will not say again
// what it took out, if the watch resumes after that. Who answers is asked
// anew, newcomers included.
func (c *Core) holdAgain(k Kept) {
	if len(c.keepers) == 0 {
		return
	}
	said := c.said[k.Service].Entry
	said.Service = k.Service
	old := Entry{Service: k.Service}
	for _, ep := range (Entry{Endpoints: k.Endpoints}).inOrder().Endpoints {
		if !said.names(ep.Addr) {
			old.Endpoints = append(old.Endpoints, ep)
		}
	}
	if len(old.Endpoints) > 0 {
		c.hold(c.keepers[0], Change{Old: old, New: said, Gone: old.Endpoints, Usual: k.Usual}, "it was kept before the restart")
	}
}
