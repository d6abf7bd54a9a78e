package discovery

import "slices"

// fleetUse says of each commit when the last follower of a fleet used it. One
// that a follower never saw, but a later change of the same service, counts
// from that one: the table then was right. Times are in milliseconds from the
// commit, and from the write before it.
type fleetUse struct {
	fromCommitMs, fromWriteMs []float64
	// unseen are pairs of commit and follower that never came together.
	unseen int
	// early are commits that some follower used before etcd had answered the
	// writer: the writer was late to notice, and the time counts as nothing.
	early int
}

const nsPerMs = 1e6

// lastUse joins the commits with what each follower saw.
func lastUse(commits []commit, seen [][]sighting) fleetUse {
	last := make([]int64, len(commits)) // 0: not by all
	use := fleetUse{}
	for f, sightings := range seen {
		byService := map[string][]sighting{}
		for _, s := range sightings {
			byService[s.service] = append(byService[s.service], s)
		}
		for i, c := range commits {
			k := slices.IndexFunc(byService[c.Service], func(s sighting) bool { return s.revision >= c.Revision })
			switch {
			case k < 0:
				use.unseen++
				last[i] = -1
			case f == 0 || last[i] >= 0:
				last[i] = max(last[i], byService[c.Service][k].at)
			}
		}
	}
	for i, c := range commits {
		if last[i] < 0 {
			continue
		}
		if last[i] < c.Committed {
			use.early++
		}
		use.fromCommitMs = append(use.fromCommitMs, float64(max(0, last[i]-c.Committed))/nsPerMs)
		use.fromWriteMs = append(use.fromWriteMs, float64(last[i]-c.Written)/nsPerMs)
	}
	return use
}
