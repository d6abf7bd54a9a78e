package balance

import (
	"cmp"
	"slices"
)

// ranking keeps the endpoints of a service in the order of a hash of their
// IDs. Whoever joins or leaves moves nobody else.
type ranking struct {
	members roster[struct{}]
	ranked  []ranked // all members
	// present are the indices of those in the last list, in that order.
	present []int
	version int // of members, when ranked was sorted
	order   int // of members, when present was filled
}

type ranked struct {
	hash   uint64
	member *member[struct{}]
}

// align takes a list and reports whether it is another than the last one. The
// seed must always be the same.
func (r *ranking) align(seed uint64, endpoints []Endpoint) bool {
	r.members.align(endpoints)
	if r.order == r.members.order {
		return false
	}
	if r.version != r.members.version {
		r.ranked = r.ranked[:0]
		for _, m := range r.members.byID {
			r.ranked = append(r.ranked, ranked{seededHash(seed, m.id), m})
		}
		slices.SortFunc(r.ranked, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.member.id, b.member.id))
		})
	}
	r.present = r.present[:0]
	for _, one := range r.ranked {
		if one.member.index >= 0 {
			r.present = append(r.present, one.member.index)
		}
	}
	r.version, r.order = r.members.version, r.members.order
	return true
}
