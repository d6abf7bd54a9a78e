package recording

import "slices"

// filling is spans that seconds are added to, one kind after the other.
type filling struct {
	spans
	// coarser is by how many bits the steps of these spans are coarser than the
	// grid.
	coarser int
	// sums gather the kinds of a part of more than a second.
	sums []histogram
	// latest and oldest are for spans.end.
	latest, oldest []packed
}

func newFilling(limit, kinds, coarser int) filling {
	return filling{
		spans: newSpans(limit, kinds), coarser: coarser, sums: make([]histogram, kinds),
		latest: make([]packed, kinds), oldest: make([]packed, kinds),
	}
}

// add adds kind k of the second that is closed next.
func (f *filling) add(k int, h *histogram, m *memory) {
	if f.width > 1 {
		f.sums[k].absorb(h, m)
		h = &f.sums[k]
	}
	if !f.ends() {
		return
	}
	f.latest[k] = h.pack(f.coarser, m)
	if f.width > 1 {
		h.clear(m)
	}
	if f.full() {
		f.oldest[k] = f.pair(k, f.latest[k])
	}
}

// close closes the second, each kind of which was added.
func (f *filling) close() {
	if !f.ends() {
		f.closed++
		return
	}
	f.end(f.latest, f.oldest)
	f.latest = make([]packed, f.kinds)
	f.oldest = make([]packed, f.kinds)
}

// clone shares the pages of the sums: m's epoch is to be raised.
func (f *filling) clone() filling {
	c := *f
	c.spans = f.spans.clone()
	c.sums = slices.Clone(f.sums)
	c.latest, c.oldest = make([]packed, f.kinds), make([]packed, f.kinds)
	return c
}

// finish packs the part that has begun.
func (f *filling) finish(m *memory) spans {
	partial, some := make([]packed, f.kinds), false
	for k := range f.sums {
		partial[k] = f.sums[k].pack(f.coarser, m)
		some = some || partial[k] != ""
	}
	if some {
		f.partial = partial
	}
	return f.spans
}
