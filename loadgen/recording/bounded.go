package recording

import (
	"maps"
	"slices"
)

// other is where a bounded table counts what it has no room for.
const other = "other"

// countMax is the highest count that is kept; more stay there, which keeps
// merging free of order, and every sum within 64 bits.
const countMax = 1 << 48

// addUpTo adds counts, up to countMax.
func addUpTo(a, b int64) int64 { return min(a+b, countMax) }

// bounded counts by name, with room for so many names. It keeps those that come
// first in the alphabet: a rule that gives the same table in whatever order the
// names come, and however the counting is shared out between workers. Not safe
// for concurrent use.
type bounded struct {
	limit   int
	entries map[string]*entry
	other   int64
	latest  *entry // the one counted last: most often it is the next one too
	top     string // of a full table, the name to go first
}

type entry struct {
	name  string
	count int64
}

func newBounded(limit int) bounded { return bounded{limit: limit, entries: map[string]*entry{}} }

// add counts a name n times; it allocates only for one that is new.
func (b *bounded) add(name []byte, n int64) {
	e := b.latest
	if e == nil || e.name != string(name) {
		if e = b.entries[string(name)]; e == nil {
			e = b.admit(name)
		}
		if b.latest = e; e == nil {
			b.other = addUpTo(b.other, n)
			return
		}
	}
	e.count = addUpTo(e.count, n)
}

// admit makes an entry, unless the table is full of names that come before.
func (b *bounded) admit(name []byte) *entry {
	if len(b.entries) == b.limit {
		if string(name) > b.top {
			return nil
		}
		b.other = addUpTo(b.other, b.entries[b.top].count)
		delete(b.entries, b.top)
	}
	e := &entry{name: string(name)}
	b.entries[e.name] = e
	if len(b.entries) == b.limit {
		b.top = ""
		for one := range b.entries {
			b.top = max(b.top, one)
		}
	}
	return e
}

// merge adds what another table of the same limit holds.
func (b *bounded) merge(o *bounded) {
	for name, e := range o.entries {
		b.add([]byte(name), e.count)
	}
	b.other = addUpTo(b.other, o.other)
}

func (b *bounded) clone() bounded {
	c := bounded{limit: b.limit, entries: make(map[string]*entry, len(b.entries)), other: b.other, top: b.top}
	for name, e := range b.entries {
		copied := *e
		c.entries[name] = &copied
	}
	return c
}

// names are the names in their order.
func (b *bounded) names() []string { return slices.Sorted(maps.Keys(b.entries)) }

// table is a copy of the counts; what had no room is under its own name.
func (b *bounded) table() map[string]int64 {
	t := make(map[string]int64, len(b.entries)+1)
	for name, e := range b.entries {
		t[name] = e.count
	}
	if b.other > 0 {
		t[other] += b.other
	}
	return t
}
