package balance

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestPeakEWMA(t *testing.T) {
	p := newPeakEWMA(10 * time.Second)
	at := func(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }
	sent := func(s float64) { p.Observe(Event{Kind: Sent, ID: "a", At: at(s)}) }
	done := func(s float64, took time.Duration) {
		p.Observe(Event{Kind: Done, ID: "a", At: at(s), Took: took})
	}
	expect := func(s, want float64) {
		t.Helper()
		if got := p.Load(at(s), &Endpoint{ID: "a"}); math.Abs(got-want) > want/1e6 {
			t.Errorf("at %v s: load %v, want %v", s, got, want)
		}
	}

	expect(0, 0) // unknown: no load
	sent(0)
	expect(0, noHistoryPenalty+1) // one request out and no answer ever
	done(0, 8*time.Millisecond)
	expect(0, 8e6) // a first answer is a peak
	sent(0)
	sent(0)
	expect(0, 3*8e6) // cost × (pending + 1)
	done(0, 20*time.Millisecond)
	expect(0, 2*20e6) // up at once
	done(10, 0)
	expect(10, 20e6/math.E) // down by 1/e after τ
	sent(10)
	done(10, 4*time.Millisecond)
	expect(10, 20e6/math.E) // a faster answer at the same instant weighs nothing
	p.Observe(Event{Kind: Gone, ID: "a"})
	expect(10, 0)
	done(11, time.Second) // an attempt that outlives its endpoint
	expect(11, 0)
}

// An endpoint ten times slower than the others gets a small share: the
// strategy needs to see only how long requests take.
func TestP2CAvoidsTheSlow(t *testing.T) {
	s, err := New("p2c-ewma")
	if err != nil {
		t.Fatal(err)
	}
	endpoints := testEndpoints(3)
	rng := rand.New(rand.NewPCG(3, 4))
	counts := make([]int, len(endpoints))
	now := epoch
	for range 3000 {
		i := s.Pick(now, rng, endpoints, Request{})
		counts[i]++
		took := time.Millisecond
		if i == 0 {
			took = 10 * time.Millisecond
		}
		s.Observe(Event{Kind: Sent, ID: endpoints[i].ID, At: now})
		now = now.Add(took)
		s.Observe(Event{Kind: Done, ID: endpoints[i].ID, At: now, Took: took})
	}
	if counts[0] > 300 {
		t.Errorf("the slow one got %d of 3000", counts[0])
	}
	if counts[0] == 0 {
		t.Error("the slow one is never tried again")
	}
}
