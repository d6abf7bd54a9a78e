package balance

import (
	"math/rand/v2"
	"time"
)

// Constants of Envoy's zone aware routing (min_cluster_size 6; the panic
// threshold, healthy_panic_threshold 50 %).
const (
	zoneMinHealthy   = 6
	zonePanicPercent = 50
	zonesMax         = 64   // ours: with more names than that they are no zones
	zoneRounding     = 1e-9 // ours: 1/3 of the capacity in each of three is even
)

// zoneAware keeps requests in the caller's zone as far as every instance still
// gets the same load (Envoy, zone aware routing). Callers are taken to be
// spread evenly over the zones that have instances (Envoy asks its own cluster
// instead), so 1/zones of all requests begin in each:
//
//	own zone has ≥ 1/zones of the healthy capacity   all stay
//	own zone has less, a share c                      c·zones of them stay, the
//	                                                  others go where there is
//	                                                  more than 1/zones
//
// It is plain p2c-ewma when the caller's zone is unknown or has nobody
// healthy, with fewer than six healthy, or when under half are healthy: few
// instances make an uneven load, and sick ones make capacity a guess. Within
// the zone chosen it is p2c-ewma.
type zoneAware struct {
	p2c   powerOfTwo
	load  Metric
	zones []zone // reused
}

type zone struct {
	name     string
	capacity float64 // weight of the healthy
	members  []int
}

// Zoned makes it a Zoned strategy.
func (z *zoneAware) Zoned() {}

func newZoneAware() *zoneAware { return &zoneAware{load: newPeakEWMA(ewmaDecay)} }

func (z *zoneAware) Pick(now time.Time, rng *rand.Rand, endpoints []Endpoint, r Request) int {
	if len(endpoints) == 1 {
		return 0
	}
	return z.p2c.pickAmong(now, rng, endpoints, z.among(rng, endpoints, r.Zone), z.load)
}

// among returns the endpoints of the zone to use, nil for all.
func (z *zoneAware) among(rng *rand.Rand, endpoints []Endpoint, from string) []int {
	if from == "" || len(endpoints) < zoneMinHealthy {
		return nil
	}
	capacity, ok := z.census(endpoints)
	own := z.find(from)
	if !ok || own < 0 || z.zones[own].capacity == 0 {
		return nil
	}
	even := capacity / float64(len(z.zones))
	stay := z.zones[own].capacity / even
	if stay >= 1-zoneRounding || rng.Float64() < stay {
		return z.zones[own].members
	}
	spare := 0.0
	for i := range z.zones {
		spare += max(0, z.zones[i].capacity-even)
	}
	left := rng.Float64() * spare
	to := own
	for i := range z.zones {
		if more := z.zones[i].capacity - even; more > 0 {
			to = i
			if left -= more; left < 0 {
				break
			}
		}
	}
	return z.zones[to].members
}

// census counts the zones; it reports false if they are not to be used.
func (z *zoneAware) census(endpoints []Endpoint) (capacity float64, ok bool) {
	z.zones = z.zones[:0]
	healthy := 0
	for i := range endpoints {
		e := &endpoints[i]
		k := z.find(e.Zone)
		if k < 0 {
			if k = len(z.zones); k == zonesMax {
				return 0, false
			}
			z.add(e.Zone)
		}
		z.zones[k].members = append(z.zones[k].members, i)
		if e.Healthy {
			healthy++
			capacity += e.weight()
			z.zones[k].capacity += e.weight()
		}
	}
	return capacity, healthy >= zoneMinHealthy && healthy*100 >= zonePanicPercent*len(endpoints)
}

// add appends a zone, in the memory of one that was there before.
func (z *zoneAware) add(name string) {
	if len(z.zones) == cap(z.zones) {
		z.zones = append(z.zones, zone{name: name})
		return
	}
	z.zones = z.zones[:len(z.zones)+1]
	last := &z.zones[len(z.zones)-1]
	last.name, last.capacity, last.members = name, 0, last.members[:0]
}

func (z *zoneAware) find(name string) int {
	for i := range z.zones {
		if z.zones[i].name == name {
			return i
		}
	}
	return -1
}

func (z *zoneAware) Observe(e Event) { z.load.Observe(e) }
