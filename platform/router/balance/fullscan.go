package balance

import (
	"math/rand/v2"
	"time"
)

// fullScan takes the least loaded of all the healthy, or of all when none is,
// and among equals one by weight. Its cost grows with the service, and many
// callers that scan the same figures all choose the same endpoint; with
// figures of their own, such as requests outstanding, they do not.
type fullScan struct{}

func (fullScan) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, m Metric) int {
	best, found := 0, false
	var least, weight float64
	for i := range endpoints {
		e := &endpoints[i]
		if found && endpoints[best].Healthy && !e.Healthy {
			continue
		}
		load := m.Load(now, e)
		switch better := e.Healthy && !endpoints[best].Healthy; {
		case !found || better || load < least:
			best, least, weight, found = i, load, e.weight(), true
		case load == least:
			// Each of k equals ends up chosen by its share of their weight.
			weight += e.weight()
			if rng.Float64()*weight < e.weight() {
				best = i
			}
		}
	}
	return best
}
