package balance

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// An instance that stops answering is seen by how long its requests have been
// waiting, without any of them having ended.
func TestKratosSeesWhoDoesNotAnswer(t *testing.T) {
	k := newKratos()
	answer := func(id string, at time.Time) {
		k.Observe(Event{Kind: Sent, ID: id, At: at})
		k.Observe(Event{Kind: Done, ID: id, At: at.Add(time.Millisecond), Took: time.Millisecond})
	}
	answer("a", epoch)
	answer("b", epoch)
	for _, id := range []string{"a", "b"} {
		k.Observe(Event{Kind: Sent, ID: id, At: epoch})
	}
	now := epoch.Add(time.Second)
	k.Observe(Event{Kind: Done, ID: "b", At: now, Took: time.Millisecond})
	k.Observe(Event{Kind: Sent, ID: "b", At: now})
	if a, b := k.Load(now, &Endpoint{ID: "a"}), k.Load(now, &Endpoint{ID: "b"}); a < 10*b {
		t.Errorf("load %v with a request waiting for a second, %v with one just sent", a, b)
	}
}

// The worse of two is picked when it has not been for three seconds; an
// unhealthy one is not.
func TestKratosForcedPick(t *testing.T) {
	k := newKratos()
	rng := rand.New(rand.NewPCG(1, 1))
	endpoints := testEndpoints(2)
	now := epoch
	pick := func(took time.Duration) int {
		i := k.Pick(now, rng, endpoints, Request{})
		k.Observe(Event{Kind: Sent, ID: endpoints[i].ID, At: now})
		now = now.Add(100 * time.Millisecond)
		if i == 1 {
			took *= 1000
		}
		k.Observe(Event{Kind: Done, ID: endpoints[i].ID, At: now, Took: took})
		return i
	}
	worse := func(picks int) (n int) {
		for range picks {
			n += pick(time.Millisecond)
		}
		return n
	}
	worse(5)
	// 150 picks are 15 s.
	if got := worse(150); got < 4 || got > 5 {
		t.Errorf("the slow one was picked %d times in 15 s, want once in a little more than 3", got)
	}
	endpoints[1].Healthy = false
	if got := worse(150); got != 0 {
		t.Errorf("the slow one was picked %d times although it was unhealthy", got)
	}
}

// Start times against a plain queue.
func TestStartTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s startTimes
		var queue []time.Time
		now := epoch
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Second)
			if rapid.Bool().Draw(t, "ends") {
				for range min(len(queue), rapid.IntRange(1, 100).Draw(t, "how many end")) {
					queue = queue[1:]
					s.pop()
				}
			} else {
				for range rapid.IntRange(1, 60).Draw(t, "how many start") {
					queue = append(queue, now)
					s.push(now)
				}
			}
			got, ok := s.median()
			if ok != (len(queue) > 0) {
				t.Fatalf("a median: %v, with %d pending", ok, len(queue))
			}
			kept := queue[max(0, len(queue)-kratosStartsKept):]
			if ok && !got.Equal(kept[len(kept)/2]) {
				t.Fatalf("median %v, want %v", got.Sub(epoch), kept[len(kept)/2].Sub(epoch))
			}
		}
	})
}
