package balance

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A pool holds the latest probe of each endpoint, the oldest first, no more
// than its size and none that is too old; and it knows the quantile of the
// last 128 figures, as sorting them has it.
func TestProbePool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p probePool
		var figures []int
		members := make([]*member[sickness], 20)
		for i := range members {
			members[i] = &member[sickness]{}
		}
		size := rapid.IntRange(2, 16).Draw(t, "size")
		now := epoch
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond)
			of := rapid.SampledFrom(members).Draw(t, "of")
			inFlight := rapid.IntRange(0, 20).Draw(t, "in flight")
			p.add(probe{of: of, at: now, inFlight: inFlight}, size)
			p.expire(now)
			figures = append(figures, inFlight)
			if len(p.probes) > size || p.probes[len(p.probes)-1].of != of {
				t.Fatalf("%d probes of at most %d", len(p.probes), size)
			}
			for i, q := range p.probes {
				if now.Sub(q.at) > prequalAge || i > 0 && q.at.Before(p.probes[i-1].at) {
					t.Fatalf("probe %d is of %v", i, q.at.Sub(epoch))
				}
				for _, other := range p.probes[:i] {
					if other.of == q.of {
						t.Fatal("two probes of one endpoint")
					}
				}
			}
			last := slices.Sorted(slices.Values(figures[max(0, len(figures)-prequalWindow):]))
			if got, want := p.hotAbove(0.84), last[min(int(0.84*float64(len(last))), len(last)-1)]; got != want {
				t.Fatalf("quantile %d, want %d", got, want)
			}
		}
	})
}

// The best probe of a hundred endpoints is followed twice, and no more.
func TestProbesAreUsedUp(t *testing.T) {
	endpoints := testEndpoints(100)
	p, rng := &prequal{}, rand.New(rand.NewPCG(1, 1))
	p.Pick(epoch, rng, endpoints, Request{})
	for i := range prequalPool {
		p.Observe(Event{Kind: Probed, ID: endpoints[i].ID, At: epoch, Took: time.Duration(20-i) * time.Millisecond})
	}
	var got []int
	for range 6 {
		got = append(got, p.Pick(epoch, rng, endpoints, Request{}))
	}
	if want := []int{15, 15, 14, 14, 13, 13}; !slices.Equal(got, want) {
		t.Errorf("picks went to %v, want %v", got, want)
	}
}

// The sum that sickness is measured against is the sum of what is known of
// those who are there.
func TestSicknessAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rng := &prequal{}, rand.New(rand.NewPCG(1, 1))
		all := testEndpoints(5)
		now := epoch
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			p.Pick(now, rng, all, Request{})
			p.Observe(Event{
				Kind: rapid.SampledFrom([]EventKind{Done, Done, Done, Gone}).Draw(t, "kind"),
				ID:   rapid.SampledFrom(all).Draw(t, "of").ID, At: now, Failed: rapid.Bool().Draw(t, "failed"),
			})
			want := 0.0
			for _, m := range p.members.byID {
				want += m.know.failing.at(now)
			}
			if got := p.failing.at(now); math.Abs(got-want) > 1e-6 {
				t.Fatalf("the sum is %v, want %v", got, want)
			}
		}
	})
}

// b_reuse for the paper's own figures, and for a service so small that only
// age and removal end a probe.
func TestProbeReuse(t *testing.T) {
	for _, c := range []struct{ n, size, want int }{{100, 16, 2}, {20, 10, 4}, {1000, 16, 2}} {
		if got := (&prequal{size: c.size}).reuse(c.n); got != c.want {
			t.Errorf("a probe in a pool of %d of %d is good for %d picks, want %d", c.size, c.n, got, c.want)
		}
	}
	if got := (&prequal{size: 2}).reuse(3); got < 1e9 {
		t.Errorf("with three endpoints it is good for %d picks", got)
	}
}
