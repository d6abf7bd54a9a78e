package balance

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// ringMax is the greatest size of the ring (gRFC A42: max_ring_size as gRPC
// caps it). A larger service gets a place for each endpoint. The size is always
// more than half of it, and so above A42's min_ring_size of 1024.
const ringMax = 4096

// ring is Karger's: each endpoint is hashed to many places on a circle, a key
// belongs to the next place clockwise (Ketama; gRFC A42, with its hash xxHash
// of "address_i"). Who leaves hands its keys to the neighbours of its places;
// nobody else's move.
//
// A42 divides a size by the number of endpoints, so that each departure also
// gives everybody else new places, and moves keys that had nothing to do with
// it. Here an endpoint has a power of two of places, the greatest that fits:
// the same until the service has halved or doubled.
type ring struct {
	points []point
	name   []byte // reused
}

type point struct {
	hash  uint64
	owner int
}

func (r *ring) build(of []weighted) {
	total := 0.0
	for _, w := range of {
		total += w.weight
	}
	per := math.Exp2(math.Floor(math.Log2(ringMax / total))) // places for a weight of 1
	r.points = r.points[:0]
	for owner, w := range of {
		places := max(1, int(math.Round(per*w.weight)))
		r.name = append(append(r.name[:0], w.id...), '_')
		stem := len(r.name)
		for i := range places {
			r.name = strconv.AppendInt(r.name[:stem], int64(i), 10)
			r.points = append(r.points, point{xxhash.Sum64(r.name), owner})
		}
	}
	slices.SortFunc(r.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.owner, b.owner))
	})
}

func (r *ring) len() int { return len(r.points) }

func (r *ring) find(hash uint64) int {
	i := sort.Search(len(r.points), func(i int) bool { return r.points[i].hash >= hash })
	if i == len(r.points) {
		return 0
	}
	return i
}

func (r *ring) at(slot int) int { return r.points[slot].owner }
