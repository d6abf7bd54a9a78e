package balance

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the zones have, callers that are spread evenly over them load all
// instances equally, in proportion to weight; and no zone could keep more of
// its own requests without breaking that.
func TestZonesAreLoadedEqually(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zones := []string{"a", "b", "c", "d"}[:rapid.IntRange(2, 4).Draw(t, "zones")]
		var endpoints []Endpoint
		total := 0.0
		capacity := map[string]float64{}
		for _, z := range zones {
			for range rapid.IntRange(2, 6).Draw(t, "in "+z) {
				e := Endpoint{ID: string(rune('A' + len(endpoints))), Healthy: true, Zone: z}
				e.Weight = rapid.SampledFrom([]float64{1, 0.5}).Draw(t, "weight")
				endpoints = append(endpoints, e)
				total += e.Weight
				capacity[z] += e.Weight
			}
		}
		if len(endpoints) < zoneMinHealthy {
			t.Skip("too few")
		}
		z := newZoneAware()
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		const picks = 4000
		even := 1 / float64(len(zones))
		load := map[string]float64{}
		for _, from := range zones {
			stay := 0
			for range picks {
				among := z.among(rng, endpoints, from)
				to := endpoints[among[0]].Zone
				load[to] += even / picks
				if to == from {
					stay++
				}
			}
			want := min(1, capacity[from]/total/even)
			if off := math.Abs(float64(stay)/picks - want); off > 6*math.Sqrt(want*(1-want)/picks)+1e-9 {
				t.Fatalf("%d of %d stay in zone %s, want %.3f of them", stay, picks, from, want)
			}
		}
		for _, to := range zones {
			// 6σ of at most len(zones) binomials of variance ≤ ¼ each.
			bound := 6 * even * math.Sqrt(float64(len(zones))/4/picks)
			if off := math.Abs(load[to] - capacity[to]/total); off > bound {
				t.Fatalf("zone %s gets %.3f of the load with %.3f of the capacity", to, load[to], capacity[to]/total)
			}
		}
	})
}

func TestZonesAreLeftAside(t *testing.T) {
	six := testEndpoints(6)
	for i := range six {
		six[i].Zone = []string{"a", "b", "c"}[i%3]
	}
	many := testEndpoints(zonesMax + 1)
	for i := range many {
		many[i].Zone = string(rune('A' + i))
	}
	ill := func(endpoints []Endpoint, which ...int) []Endpoint {
		endpoints = append([]Endpoint(nil), endpoints...)
		for _, i := range which {
			endpoints[i].Healthy = false
		}
		return endpoints
	}
	twelve := append(append([]Endpoint(nil), six...), six...)
	for _, c := range []struct {
		name      string
		endpoints []Endpoint
		from      string
		own       bool
	}{
		{"six in three zones", six, "a", true},
		{"a caller that says nothing", six, "", false},
		{"a caller from elsewhere", six, "z", false},
		{"five", six[:5], "a", false},
		{"five healthy", ill(six, 5), "a", false},
		{"half of twelve", ill(twelve, 0, 1, 2, 3, 4, 5), "a", true},
		{"nobody healthy in the zone", ill(twelve, 0, 3, 6, 9), "a", false},
		{"more names than zones can be", many, "A", false},
	} {
		among := newZoneAware().among(rand.New(rand.NewPCG(1, 1)), c.endpoints, c.from)
		if own := among != nil; own != c.own {
			t.Errorf("%s: a zone chosen: %v, want %v", c.name, own, c.own)
		}
	}
	// Fewer than half of fourteen healthy, but six.
	fourteen := append(append([]Endpoint(nil), twelve...), six[:2]...)
	if newZoneAware().among(rand.New(rand.NewPCG(1, 1)), ill(fourteen, 0, 1, 2, 3, 4, 5, 6, 7), "c") != nil {
		t.Error("zones are used in a panic")
	}
}
