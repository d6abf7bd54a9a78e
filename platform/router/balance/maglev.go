package balance

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// maglevSize is the size of the table (Maglev, Eisenbud et al., NSDI 2016,
// §3.4: a prime much greater than the number of endpoints; Envoy's table_size
// defaults to this one). It takes 128 KiB a service.
const maglevSize = 65537

// Seeds of the two hashes that make an endpoint's order of preference. Any
// two numbers would do, if only all routers have the same.
const (
	maglevOffsetSeed = 0x6d61676c65760001
	maglevSkipSeed   = 0x6d61676c65760002
)

// maglev is a table that endpoints fill in turn, each taking the first free
// slot in an order of preference of its own:
//
//	(offset + k·skip) mod size,  k = 0, 1, 2 …
//
// So all get the same number of slots, to one, where the shares of a ring vary
// by 1/√places; a departure moves a few keys of others too. One of less
// weight than the greatest now and then misses a turn (as in Envoy).
type maglev struct {
	slots []uint16
}

type preference struct {
	next, skip uint32
	turns      float64 // due so far, less those taken
}

func (m *maglev) build(of []weighted) {
	of = of[:min(len(of), math.MaxUint16)]
	const free = math.MaxUint16
	if m.slots == nil {
		m.slots = make([]uint16, maglevSize)
	}
	for i := range m.slots {
		m.slots[i] = free
	}
	most := 0.0
	prefer := make([]preference, len(of))
	for i, w := range of {
		most = max(most, w.weight)
		prefer[i].next = uint32(seededHash(maglevOffsetSeed, w.id) % maglevSize)
		prefer[i].skip = uint32(seededHash(maglevSkipSeed, w.id)%(maglevSize-1)) + 1
	}
	for left := maglevSize; ; {
		for i := range prefer {
			p := &prefer[i]
			if p.turns += of[i].weight / most; p.turns < 1 {
				continue
			}
			p.turns--
			for m.slots[p.next] != free {
				if p.next += p.skip; p.next >= maglevSize {
					p.next -= maglevSize
				}
			}
			m.slots[p.next] = uint16(i)
			if left--; left == 0 {
				return
			}
		}
	}
}

func (m *maglev) len() int             { return len(m.slots) }
func (m *maglev) find(hash uint64) int { return int(hash % maglevSize) }
func (m *maglev) at(slot int) int      { return int(m.slots[slot]) }

// seededHash is one of many hashes of an ID, by seed (XXH64).
func seededHash(seed uint64, id string) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(seed)
	_, _ = d.WriteString(id) // a hash never fails
	return d.Sum64()
}
