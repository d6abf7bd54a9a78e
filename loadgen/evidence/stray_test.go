package evidence_test

import (
	"math/rand/v2"
	"testing"

	"breakbank/loadgen/evidence"
)

// sentAfter adds a delay to each time.
func sentAfter(times []int64, delay func(i int, at int64) int64) []int64 {
	sent := make([]int64, len(times))
	for i, at := range times {
		sent[i] = at + delay(i, at)
	}
	return sent
}

func TestStray(t *testing.T) {
	for _, perS := range []float64{50, 500, 5000} {
		times := poisson(3, perS, 50_000)
		r := rand.New(rand.NewPCG(4, 0))
		last := times[len(times)-1]
		for _, c := range []struct {
			name        string
			delay       func(i int, at int64) int64
			atLeast, at float64 // bounds of D
			kept        bool    // whether the gaps are kept too
		}{
			{"on time", func(int, int64) int64 { return 0 }, 0, 0, true},
			{"a millisecond of jitter", func(int, int64) int64 { return r.Int64N(ms) }, 0, 0.01, true},
			{"woken each millisecond", func(_ int, at int64) int64 { return ms - at%ms }, 0, 0.01, true},
			{"a tenth of the run stood still", func(_ int, at int64) int64 {
				if from := last / 2; at > from && at < from+last/10 {
					return from + last/10 - at
				}
				return 0
			}, 0.09, 0.11, false},
			{"batches of a second", func(_ int, at int64) int64 { return 1000*ms - at%(1000*ms) }, 0, 1, false},
		} {
			s := evidence.StrayOf(times, sentAfter(times, c.delay))
			if s.D < c.atLeast || s.D > c.at || s.Samples != len(times) || (s.GapD <= 0.05) != c.kept {
				t.Errorf("%v/s, %s: %+v", perS, c.name, s)
			}
		}
	}
	if s := evidence.StrayOf([]int64{1}, []int64{1}); s.D != 0 || s.GapD != 0 {
		t.Errorf("one request: %+v", s)
	}
}
