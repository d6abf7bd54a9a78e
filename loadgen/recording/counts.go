package recording

import (
	"math"
	"slices"
)

const (
	// pageSteps is how many steps of the grid are allocated together: an eighth
	// of an octave. The latencies of a second lie on some 30 of the 144 pages.
	pageBits  = 7
	pageSteps = 1 << pageBits
	pages     = gridSteps / pageSteps
	// freePagesMax bounds the pages kept for later, at 512 bytes each.
	freePagesMax = 16_384
)

type page [pageSteps]uint32

// histogram counts values on the grid. Its pages may be shared with copies of
// it, and are copied before they are written then. The zero histogram is empty.
// Not safe for concurrent use.
type histogram struct {
	pages [pages]*page
	// owned has a bit for each page that is this histogram's alone, as of epoch.
	owned [(pages + 63) / 64]uint64
	epoch uint64
	// spilled lists a step for each time that its 32 bits ran over.
	spilled []int32
}

// memory is where the pages of histograms come from. Raising epoch makes every
// page of theirs shared, which is how they are copied in no time.
type memory struct {
	epoch uint64
	free  []*page
	buf   []byte // for packing
}

// own makes a page the histogram's own.
func (h *histogram) own(n int, m *memory) *page {
	if h.epoch != m.epoch {
		h.epoch, h.owned = m.epoch, [len(h.owned)]uint64{}
	}
	if h.owned[n>>6]&(1<<(n&63)) != 0 {
		return h.pages[n]
	}
	p := m.take()
	if shared := h.pages[n]; shared != nil {
		*p = *shared
	}
	h.pages[n] = p
	h.owned[n>>6] |= 1 << (n & 63)
	return p
}

// take is a page of zeros.
func (m *memory) take() *page {
	last := len(m.free) - 1
	if last < 0 {
		return new(page)
	}
	p := m.free[last]
	m.free = m.free[:last]
	*p = page{}
	return p
}

// add counts a value by its step.
func (h *histogram) add(step int, m *memory) {
	n := step >> pageBits
	p := h.pages[n]
	if h.epoch != m.epoch || h.owned[n>>6]&(1<<(n&63)) == 0 {
		p = h.own(n, m)
	}
	p[step&(pageSteps-1)]++
	if p[step&(pageSteps-1)] == 0 {
		h.spilled = append(h.spilled, int32(step))
	}
}

// absorb adds what another histogram holds.
func (h *histogram) absorb(other *histogram, m *memory) {
	for n, from := range other.pages {
		if from == nil {
			continue
		}
		to := h.own(n, m)
		for i, count := range from {
			if to[i] > math.MaxUint32-count {
				h.spilled = append(h.spilled, int32(n<<pageBits+i))
			}
			to[i] += count
		}
	}
	// Not append to a slice that a copy may share.
	h.spilled = slices.Concat(h.spilled, other.spilled)
}

// clear empties the histogram, and keeps the pages that nobody shares.
func (h *histogram) clear(m *memory) {
	for n, p := range h.pages {
		if p != nil && h.epoch == m.epoch && h.owned[n>>6]&(1<<(n&63)) != 0 && len(m.free) < freePagesMax {
			m.free = append(m.free, p)
		}
	}
	*h = histogram{}
}

// pack writes the histogram down, 1<<coarser steps of the grid as one.
func (h *histogram) pack(coarser int, m *memory) packed {
	w := packer{buf: m.buf[:0]}
	for n, p := range h.pages {
		if p == nil {
			continue
		}
		for i := 0; i < pageSteps; i += 1 << coarser {
			var sum int64
			for _, count := range p[i : i+1<<coarser] {
				sum += int64(count)
			}
			if sum > 0 {
				w.put((n<<pageBits+i)>>coarser, sum)
			}
		}
	}
	m.buf = w.buf
	out := packed(w.buf)
	for _, step := range h.spilled {
		var one packer
		one.put(int(step)>>coarser, 1<<32)
		out = mergePacked(out, packed(one.buf))
	}
	return out
}
