package balance

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A request goes to the one that has been idle longest, as long as one is
// idle; then to anybody.
func TestJoinIdleQueue(t *testing.T) {
	endpoints := testEndpoints(4)
	j, rng := &joinIdle{}, rand.New(rand.NewPCG(1, 1))
	send := func() string {
		id := endpoints[j.Pick(epoch, rng, endpoints, Request{})].ID
		j.Observe(Event{Kind: Sent, ID: id, At: epoch})
		return id
	}
	done := func(id string) { j.Observe(Event{Kind: Done, ID: id, At: epoch}) }

	var order []string
	seen := map[string]bool{}
	for range endpoints {
		id := send()
		order, seen[id] = append(order, id), true
	}
	if len(seen) != len(endpoints) {
		t.Fatalf("%v had requests while others were idle", order)
	}
	// Everybody has one; the next goes to anybody, who is then not idle when
	// the first of its two has ended.
	busy := send()
	done(busy)
	for _, id := range order {
		if id != busy {
			done(id)
		}
	}
	var idle []string
	for range len(endpoints) - 1 {
		idle = append(idle, send())
	}
	for _, id := range idle {
		if id == busy {
			t.Errorf("%s got one of %v, and was not idle", busy, idle)
		}
	}
	// The three of them end in an order of their own, and are used in it.
	ends := []string{idle[2], idle[0], idle[1]}
	for _, id := range ends {
		done(id)
	}
	if got := []string{send(), send(), send()}; fmt.Sprint(got) != fmt.Sprint(ends) {
		t.Errorf("fell idle in the order %v, used in the order %v", ends, got)
	}
}
