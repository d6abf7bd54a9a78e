package discovery

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

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
		name := recordName(item)
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
	entry, err := c.config.Parser.Parse(record)
	slices.SortFunc(entry.Endpoints, func(a, b Endpoint) int { return strings.Compare(a.Addr, b.Addr) })
	return entry, err
}

// applyList makes the table what the list says, less what policies veto.
func (c *Core) applyList(parsed parsedList) {
	listed := make(map[string]bool, len(parsed.entries))
	for _, entry := range parsed.entries {
		listed[entry.Service] = true
		c.admit(entry)
	}
	if parsed.nameless {
		// Any service that is missing may be the one that cannot be read.
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.table)) {
		if !listed[name] && !parsed.aside[name] {
			c.admitRemoval(name)
		}
	}
}

// admit takes an entry into the table unless a policy vetoes it.
func (c *Core) admit(entry Entry) {
	if c.vetoed(c.table[entry.Service], entry) {
		return
	}
	c.put(entry)
}

// admitRemoval takes a service out of the table unless a policy vetoes that.
func (c *Core) admitRemoval(service string) {
	old, known := c.table[service]
	if !known || c.vetoed(old, Entry{Service: service}) {
		return
	}
	delete(c.table, service)
	c.publish.Removed = append(c.publish.Removed, service)
	c.accusations.forget(old, Entry{})
	c.saver.changed()
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

func (c *Core) put(entry Entry) {
	old, known := c.table[entry.Service]
	c.table[entry.Service] = entry
	if known && slices.Equal(old.Endpoints, entry.Endpoints) {
		return
	}
	c.publish.Entries = append(c.publish.Entries, entry)
	c.accusations.forget(old, entry)
	c.saver.changed()
}

// sourceFailed does to the table what the policies say an error does.
func (c *Core) sourceFailed() {
	b, ok := hook[errorBeliever](c.config.Policies)
	if !ok || b.KeepsTableOnError() || c.basis == Pending {
		return
	}
	clear(c.table)
	c.basis, c.revision = Pending, 0
	c.publish = Publish{Pending: true}
	c.logf(slog.LevelWarn, "the error is believed: no name is known any more")
}

// flush publishes what this step changed.
func (c *Core) flush() {
	if len(c.publish.Entries) > 0 || len(c.publish.Removed) > 0 || c.publish.Pending {
		c.do(c.publish)
	}
}
