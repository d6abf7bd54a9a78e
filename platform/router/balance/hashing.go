package balance

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// hashBound is how much more than its share of the requests under way an
// endpoint may have before its keys go elsewhere: the 1+ε of Mirrokni, Thorup
// and Zadimoghaddam, "Consistent Hashing with Bounded Loads" (SODA 2018), with
// ε = ¼; hash_balance_factor 125 in Envoy, hash-balance-factor in HAProxy.
const hashBound = 1.25

// Weights that change all the time, as in a slow start, do not move keys all
// the time: they are looked at once in hashWeightsEvery, and the table is
// built anew when one has changed by more than hashWeightsBy. (Ours.)
const (
	hashWeightsEvery = time.Second
	hashWeightsBy    = 0.1
)

// hashTable maps a hash to an endpoint so that few keys move when endpoints
// come and go.
type hashTable interface {
	// build makes the table for these endpoints, which are sorted by ID, so
	// that every router builds the same.
	build(of []weighted)
	// len is how many slots there are, find where a hash falls, and at whose
	// a slot is: an index into what was built.
	len() int
	find(hash uint64) int
	at(slot int) int
}

type weighted struct {
	id     string
	weight float64
}

// hashing sends requests of one key to one endpoint, as long as that is
// healthy and has no more than its bounded share of the requests under way;
// else to the next in the table that can take it. A request without a key goes
// anywhere (gRFC A42: a random hash).
type hashing struct {
	table   hashTable
	members roster[hashed]
	built   []*member[hashed] // what the table's indices mean
	sorted  []weighted        // reused
	version int               // of members, when the table was built
	due     time.Time         // when weights are looked at again
}

type hashed struct {
	pending int
	weight  float64 // in the table
}

func (h *hashing) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, r Request) int {
	members := h.members.align(endpoints)
	h.rebuild(now, members, endpoints)
	hash := xxhash.Sum64String(r.Key)
	if r.Key == "" {
		hash = rng.Uint64()
	}
	slot := h.table.find(hash)
	b := bound(members, endpoints)
	for range h.table.len() {
		i := h.built[h.table.at(slot)].index
		if i >= 0 && b.admits(members[i], &endpoints[i]) {
			return i
		}
		if slot++; slot == h.table.len() {
			slot = 0
		}
	}
	// Nobody in the table: there may be more endpoints than slots.
	for i, m := range members {
		if b.admits(m, &endpoints[i]) {
			return i
		}
	}
	return rng.IntN(len(endpoints))
}

// loadBound is how many requests an endpoint may have, for each unit of its
// weight. When no endpoint is healthy, all are treated as if they were.
type loadBound struct {
	perWeight float64
	panic     bool
}

func bound(members []*member[hashed], endpoints []Endpoint) loadBound {
	healthy, all, pending := 0.0, 0.0, 1 // the request itself
	for i, m := range members {
		w := endpoints[i].weight()
		all += w
		if endpoints[i].Healthy {
			healthy += w
		}
		pending += m.know.pending
	}
	b := loadBound{panic: healthy == 0}
	if b.panic {
		healthy = all
	}
	b.perWeight = hashBound * float64(pending) / healthy
	return b
}

// admits: one of them always is, since their bounds add up to more than there
// are requests.
func (b loadBound) admits(m *member[hashed], e *Endpoint) bool {
	return (e.Healthy || b.panic) && float64(m.know.pending) < math.Ceil(b.perWeight*e.weight())
}

// rebuild builds the table if somebody has joined or left, or weights moved.
func (h *hashing) rebuild(now time.Time, members []*member[hashed], endpoints []Endpoint) {
	moved := false
	if !now.Before(h.due) {
		h.due = now.Add(hashWeightsEvery)
		for i, m := range members {
			w := endpoints[i].weight()
			moved = moved || math.Abs(w-m.know.weight) > hashWeightsBy*m.know.weight
		}
	}
	if h.built != nil && h.version == h.members.version && !moved {
		return
	}
	for i, m := range members {
		m.know.weight = endpoints[i].weight()
	}
	h.version = h.members.version
	h.built = h.built[:0]
	for _, m := range h.members.byID {
		h.built = append(h.built, m)
	}
	slices.SortFunc(h.built, func(a, b *member[hashed]) int { return cmp.Compare(a.id, b.id) })
	h.sorted = h.sorted[:0]
	for _, m := range h.built {
		h.sorted = append(h.sorted, weighted{m.id, m.know.weight})
	}
	h.table.build(h.sorted)
}

func (h *hashing) Observe(e Event) {
	m := h.members.get(e.ID)
	if m == nil {
		return
	}
	switch e.Kind {
	case Sent:
		m.know.pending++
	case Done:
		m.know.pending = max(0, m.know.pending-1)
	case Gone:
		h.members.forget(e.ID)
	case Probed:
	}
}
