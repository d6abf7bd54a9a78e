package discovery

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// A service's line of the table is made of three things, each of which may
// change alone:
//
//	said     the registry's last word that could be read and was not vetoed
//	held     addresses that it took out and that a policy keeps (hold.go)
//	dropped  addresses that evidence took out (evidence.go)
//
// A line whose said part was not confirmed for too long is empty (expiry.go).
// What differs at the end of a step is published.

// word is the registry's last word on a service.
type word struct {
	Entry
	// at is when a source said it; zero for what comes from disk, from a peer
	// or from the seed, which are as old as the whole table is.
	at time.Time
	// unread is since when there is a newer record that cannot be read; zero
	// for none.
	unread time.Time
}

// parsedList is a list after the parser.
type parsedList struct {
	entries []Entry
	// aside are the services whose records were set aside.
	aside map[string]bool
	// nameless: a record was set aside that does not say whose it is.
	nameless bool
}

// parseList reads a list, all or nothing: the first record that the parser
// throws on fails it, unless a policy sets such records aside.
func (c *Core) parseList(items []json.RawMessage) (parsedList, error) {
	parsed := parsedList{aside: map[string]bool{}}
	for _, item := range items {
		entry, err := c.parse(item)
		if err == nil {
			parsed.entries = append(parsed.entries, entry)
			continue
		}
		name := c.config.Parser.serviceOf(item)
		if a, ok := hook[asider](c.config.Policies); !ok || !a.SetsAside() {
			return parsedList{}, fmt.Errorf("endpoints list: parse failure: %w (service %q)", err, name)
		}
		c.logf(slog.LevelWarn, "endpoints list: record set aside: %v (service %q)", err, name)
		if name == "" {
			parsed.nameless = true
		} else {
			parsed.aside[name] = true
		}
	}
	return parsed, nil
}

// parse reads one record and puts its endpoints in order, so that two records
// that say the same are equal.
func (c *Core) parse(record json.RawMessage) (Entry, error) {
	entry, err := c.config.Parser.parse(record, c.zones)
	return entry.inOrder(), err
}

// unreadable notes that what is believed of a service is no longer what the
// registry says.
func (c *Core) unreadable(service string) {
	if w, known := c.said[service]; known && w.unread.IsZero() {
		w.unread = c.now
		c.said[service] = w
	}
}

// applyList makes the table what the list says, less what policies veto. at is
// when a source said so, as in word.
func (c *Core) applyList(parsed parsedList, at time.Time) {
	listed := make(map[string]bool, len(parsed.entries))
	for _, entry := range parsed.entries {
		listed[entry.Service] = true
		c.admit(entry, at)
	}
	for _, name := range sortedNames(parsed.aside) {
		c.unreadable(name)
	}
	if parsed.nameless {
		// Any service that is missing may be the one that cannot be read.
		return
	}
	for _, name := range sortedNames(c.table) {
		if !listed[name] && !parsed.aside[name] {
			c.admitRemoval(name)
		}
	}
}

// admit takes an entry into the table unless a policy vetoes it.
func (c *Core) admit(entry Entry, at time.Time) {
	old, _ := c.believed(entry.Service)
	if c.vetoed(old, entry) {
		return
	}
	c.keep(old, entry)
	c.take(entry, at)
}

// take makes an entry what was said last of its service.
func (c *Core) take(entry Entry, at time.Time) {
	before, known := c.said[entry.Service]
	entry = c.placed(entry)
	same := known && slices.EqualFunc(before.Endpoints, entry.Endpoints, Endpoint.is)
	if !same || before.Revision != entry.Revision {
		delete(c.dropped, entry.Service) // the registry has something new to say
	}
	if !same {
		c.saver.changed()
	}
	c.said[entry.Service] = word{Entry: entry, at: at}
	c.touch(entry.Service)
}

// admitRemoval takes a service out of the table unless a policy vetoes that,
// or keeps some of it.
func (c *Core) admitRemoval(service string) {
	old, known := c.believed(service)
	gone := Entry{Service: service}
	if !known || c.vetoed(old, gone) {
		return
	}
	c.keep(old, gone)
	if _, said := c.said[service]; said {
		delete(c.said, service)
		delete(c.dropped, service)
		c.unplaced(service)
		c.saver.changed()
	}
	c.touch(service)
}

func (c *Core) vetoed(old, changed Entry) bool {
	for _, p := range c.config.Policies {
		a, ok := p.(admitter)
		if !ok {
			continue
		}
		if reason := a.Veto(old, changed); reason != "" {
			c.logf(slog.LevelWarn, "%s vetoes a change of %q: %s", p.Name(), changed.Service, reason)
			return true
		}
	}
	return false
}

// believed is a service's line as it would be if nothing had expired, and
// whether there is one.
func (c *Core) believed(service string) (Entry, bool) {
	w, said := c.said[service]
	h := c.holds[service]
	entry := w.Entry
	entry.Service = service
	for _, addr := range c.dropped[service] {
		entry = entry.without(addr)
	}
	if h != nil {
		entry = h.addTo(entry)
	}
	return entry, said || h != nil
}

// touch notes that a service's line may differ after this step.
func (c *Core) touch(service string) { c.touched = append(c.touched, service) }

// settle brings a service's line up to date.
func (c *Core) settle(service string) {
	old, had := c.table[service]
	entry, known := c.believed(service)
	if !known {
		if had {
			delete(c.table, service)
			delete(c.usual, service)
			c.publish.Removed = append(c.publish.Removed, service)
			c.accusations.forget(old, Entry{})
		}
		return
	}
	if w, said := c.said[service]; said && c.expired(w) {
		entry.Endpoints = nil
	}
	c.table[service] = entry
	if had && slices.Equal(old.Endpoints, entry.Endpoints) {
		return
	}
	c.publish.Entries = append(c.publish.Entries, entry)
	c.accusations.forget(old, entry)
}

// sourceFailed does to the table what the policies say an error does. A table
// that does not come from a source has not become worse.
func (c *Core) sourceFailed() {
	b, ok := hook[errorBeliever](c.config.Policies)
	if !ok || b.KeepsTableOnError() || c.basis != FromSource && c.basis != FromSnapshot {
		return
	}
	for service := range c.holds {
		c.endHold(service)
	}
	clear(c.table)
	clear(c.said)
	clear(c.dropped)
	clear(c.usual)
	if c.zones != nil {
		clear(c.zones.missing)
	}
	clear(c.accusations.seen)
	clear(c.accusations.found)
	c.touched = nil
	c.basis, c.revision = Pending, 0
	c.publish = Publish{Pending: true}
	c.logf(slog.LevelWarn, "the error is believed: no name is known any more")
	c.startFromSeed()
}

// flush publishes what this step changed.
func (c *Core) flush() {
	for _, service := range c.touched {
		c.settle(service)
	}
	c.touched = c.touched[:0]
	if len(c.publish.Entries) > 0 || len(c.publish.Removed) > 0 || c.publish.Pending {
		c.do(c.publish)
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
