package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// request is everything that one request costs a strategy: Pick, Sent, the
// probes if it wants any, and Done with a report.
func request(s Strategy, rng *rand.Rand, now time.Time, endpoints []Endpoint, r Request, load *Load) {
	i := s.Pick(now, rng, endpoints, r)
	id := endpoints[i].ID
	s.Observe(Event{Kind: Sent, ID: id, At: now})
	if p, ok := s.(Prober); ok {
		for _, i := range p.Probes(now, rng, endpoints) {
			s.Observe(Event{Kind: Probed, ID: endpoints[i].ID, At: now, Took: time.Millisecond, Load: load})
		}
	}
	s.Observe(Event{Kind: Done, ID: id, At: now.Add(time.Millisecond), Took: time.Millisecond, Load: load})
}

// No strategy allocates for a request as long as the list stays the same, nor
// for a retry, which leaves one out of the list and then has it back.
func TestRequestsDoNotAllocate(t *testing.T) {
	for _, kind := range Strategies {
		t.Run(kind.Name, func(t *testing.T) {
			endpoints := testEndpoints(20)
			for i := range endpoints {
				endpoints[i].Zone = []string{"a", "b", "c"}[i%3]
				endpoints[i].Healthy = i%5 != 0
			}
			without := append(append([]Endpoint(nil), endpoints[:7]...), endpoints[8:]...)
			s := kind.New()
			rng := rand.New(rand.NewPCG(1, 1))
			now := epoch
			load := &Load{QPS: 100, Utilization: 0.5, InFlight: 3}
			once := func() {
				now = now.Add(time.Millisecond)
				request(s, rng, now, endpoints, Request{Key: "alice", Zone: "a"}, load)
			}
			again := func() {
				once()
				request(s, rng, now, without, Request{Zone: "a"}, load)
			}
			for range 20_000 { // past blackouts and updates, with every endpoint met
				again()
			}
			if got := testing.AllocsPerRun(3000, once); got != 0 {
				t.Errorf("%v allocations a request", got)
			}
			if got := testing.AllocsPerRun(3000, again); got != 0 {
				t.Errorf("%v allocations a retried request", got)
			}
		})
	}
}

// BenchmarkRequest is what a request costs: Pick, Sent and Done, and for
// prequal three probes. A router that forwards in 10 µs can spend some 200 ns.
func BenchmarkRequest(b *testing.B) {
	for _, kind := range Strategies {
		for _, n := range []int{10, 1000} {
			b.Run(fmt.Sprintf("%s/%d", kind.Name, n), func(b *testing.B) {
				endpoints := testEndpoints(n)
				s := kind.New()
				rng := rand.New(rand.NewPCG(1, 1))
				now := epoch
				load := &Load{QPS: 100, Utilization: 0.5}
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(100 * time.Microsecond)
					request(s, rng, now, endpoints, Request{Key: "alice"}, load)
				}
			})
		}
	}
}
