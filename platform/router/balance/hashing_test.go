package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const testKeys = 2000

// owners asks where each of testKeys keys goes.
func owners(s Strategy, endpoints []Endpoint) []string {
	rng := rand.New(rand.NewPCG(1, 1))
	to := make([]string, testKeys)
	for k := range to {
		to[k] = endpoints[s.Pick(epoch, rng, endpoints, Request{Key: fmt.Sprint("key-", k)})].ID
	}
	return to
}

func keyedStrategies(t *testing.T, test func(t *testing.T, kind StrategyKind)) {
	for _, kind := range Strategies {
		if kind.Traits.Keyed {
			t.Run(kind.Name, func(t *testing.T) { test(t, kind) })
		}
	}
}

// A key goes to the same endpoint from every caller, in whatever order it
// knows the endpoints.
func TestKeysHaveOneHome(t *testing.T) {
	keyedStrategies(t, func(t *testing.T, kind StrategyKind) {
		rng := rand.New(rand.NewPCG(1, 1))
		for _, n := range testServiceSizes {
			endpoints := testEndpoints(n)
			want := owners(kind.New(), endpoints)
			rng.Shuffle(n, func(i, j int) { endpoints[i], endpoints[j] = endpoints[j], endpoints[i] })
			if got := owners(kind.New(), endpoints); !slices.Equal(got, want) {
				t.Errorf("of %d: another order of the list moves keys", n)
			}
		}
	})
}

var testServiceSizes = []int{1, 2, 3, 4, 5, 8, 9, 16, 17, 30}

// When one leaves, its keys move and no others; when it comes back, they come
// back. A ring keeps to that until the service has halved; maglev moves a few
// more, since those who take the free slots no longer take others: fewer than
// 5 % of all, against 1/n that have to.
func TestFewKeysMove(t *testing.T) {
	keyedStrategies(t, func(t *testing.T, kind StrategyKind) {
		for _, n := range testServiceSizes[1:] {
			endpoints := testEndpoints(n)
			gone := n / 2
			s := kind.New()
			before := owners(s, endpoints)
			left := append(append([]Endpoint(nil), endpoints[:gone]...), endpoints[gone+1:]...)
			s.Observe(Event{Kind: Gone, ID: endpoints[gone].ID})
			after := owners(s, left)
			moved := 0
			for k := range before {
				if before[k] != after[k] && before[k] != endpoints[gone].ID {
					moved++
				}
			}
			allowed := 0
			switch {
			case kind.Name == "maglev":
				allowed = testKeys / 20
			case places(n) != places(n-1):
				allowed = testKeys
			}
			if moved > allowed {
				t.Errorf("of %d: %d of %d keys moved that had nothing to do with it", n, moved, testKeys)
			}
			if got := owners(s, endpoints); !slices.Equal(got, before) {
				t.Errorf("of %d: it is back, its keys are not", n)
			}
		}
	})
}

func places(n int) float64 { return math.Floor(math.Log2(ringMax / float64(n))) }

// An endpoint that is unhealthy, or left out for a retry, lends its keys to
// others; nobody else's move, and no table is built.
func TestKeysAreLent(t *testing.T) {
	keyedStrategies(t, func(t *testing.T, kind StrategyKind) {
		endpoints := testEndpoints(10)
		s := kind.New()
		before := owners(s, endpoints)
		table := s.(*hashing).version
		ill := endpoints[4].ID
		check := func(now []string) {
			t.Helper()
			for k := range now {
				if lent := before[k] == ill; now[k] == ill || (now[k] != before[k]) != lent {
					t.Fatalf("key %d went from %s to %s", k, before[k], now[k])
				}
			}
		}
		endpoints[4].Healthy = false
		check(owners(s, endpoints))
		endpoints[4].Healthy = true
		check(owners(s, append(append([]Endpoint(nil), endpoints[:4]...), endpoints[5:]...)))
		if got := owners(s, endpoints); !slices.Equal(got, before) {
			t.Error("the keys do not come back")
		}
		if s.(*hashing).version != table {
			t.Error("the table was built anew")
		}
	})
}

// However popular a key, no endpoint has more than 125 % of its share of the
// requests under way, rounded up.
func TestBoundedLoad(t *testing.T) {
	keyedStrategies(t, func(t *testing.T, kind StrategyKind) {
		rapid.Check(t, func(t *rapid.T) {
			endpoints := testEndpoints(rapid.IntRange(1, 12).Draw(t, "n"))
			s, rng := kind.New(), rand.New(rand.NewPCG(1, 1))
			pending := make([]int, len(endpoints))
			all := 0
			for range rapid.IntRange(1, 200).Draw(t, "steps") {
				i := rapid.IntRange(0, len(endpoints)-1).Draw(t, "ends")
				if pending[i] > 0 && rapid.Bool().Draw(t, "one ends") {
					pending[i]--
					all--
					s.Observe(Event{Kind: Done, ID: endpoints[i].ID, At: epoch})
					continue
				}
				i = s.Pick(epoch, rng, endpoints, Request{Key: rapid.SampledFrom([]string{"hot", "hot", "hot", "b", ""}).Draw(t, "key")})
				s.Observe(Event{Kind: Sent, ID: endpoints[i].ID, At: epoch})
				pending[i]++
				all++
				if most := math.Ceil(hashBound * float64(all) / float64(len(endpoints))); float64(pending[i]) > most {
					t.Fatalf("%d of %d under way are at one of %d endpoints, bound %.0f", pending[i], all, len(endpoints), most)
				}
			}
		})
	})
}

// Weights that creep, as in a slow start, move keys at most once a second.
func TestWeightsDoNotRebuildTables(t *testing.T) {
	keyedStrategies(t, func(t *testing.T, kind StrategyKind) {
		endpoints := testEndpoints(5)
		s := &countingTable{hashTable: kind.New().(*hashing).table}
		h := &hashing{table: s}
		rng := rand.New(rand.NewPCG(1, 1))
		now := epoch
		for i := range 1000 { // ten seconds
			endpoints[0].Weight = 0.1 + float64(i)/1000
			h.Pick(now, rng, endpoints, Request{Key: "alice"})
			now = now.Add(10 * time.Millisecond)
		}
		if s.builds < 5 || s.builds > 11 {
			t.Errorf("%d tables built in ten seconds", s.builds)
		}
	})
}

type countingTable struct {
	hashTable
	builds int
}

func (c *countingTable) build(of []weighted) {
	c.builds++
	c.hashTable.build(of)
}

// All slots of a maglev table are taken, by each endpoint as many as its
// weight says: when the last one goes, each has less than one turn due.
func TestMaglevSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := make([]weighted, rapid.IntRange(1, 20).Draw(t, "n"))
		total := 0.0
		for i := range of {
			of[i] = weighted{fmt.Sprint(i), rapid.SampledFrom([]float64{0.1, 0.5, 1, 3}).Draw(t, "weight")}
			total += of[i].weight
		}
		var m maglev
		m.build(of)
		got := make([]int, len(of))
		for _, owner := range m.slots {
			got[owner]++
		}
		for i := range of {
			if want := of[i].weight / total * maglevSize; math.Abs(float64(got[i])-want) > float64(len(of)) {
				t.Fatalf("%d slots for %v of %v, want %.0f", got[i], of[i].weight, total, want)
			}
		}
	})
}

// A ring is as large as it may be, but for a service that has more endpoints
// than that.
func TestRingSize(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 1000, 4096, 5000} {
		of := make([]weighted, n)
		for i := range of {
			of[i] = weighted{fmt.Sprint(i), 1}
		}
		var r ring
		r.build(of)
		if got := r.len(); got != max(n, got) || n < ringMax && (got <= ringMax/2 || got > ringMax) {
			t.Errorf("%d places for %d endpoints", got, n)
		}
	}
}
