package sim

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"breakbank/platform/router/balance"
)

// The oracle here and the one of the table, told the same, choose from the same
// endpoints: the healthy with the least in flight for their weight, or all
// when none is healthy.
func TestTheOracleChoosesAsTheTablesDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "endpoints")
		view := make([]balance.Endpoint, n)
		for i := range view {
			view[i] = balance.Endpoint{
				ID: strconv.Itoa(i), Healthy: rapid.Bool().Draw(t, "healthy"),
				Weight: float64(rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "weight")),
			}
		}
		table, err := balance.New(Oracle)
		if err != nil {
			t.Fatal(err)
		}
		ours := newOracle()
		ours.know(view)
		rng := rand.New(rand.NewPCG(1, 2))
		inFlight := make([]int, n)
		both := func(e balance.Event) {
			table.Observe(e)
			ours.Observe(e)
		}
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			i := rapid.IntRange(0, n-1).Draw(t, "endpoint")
			e := balance.Event{ID: view[i].ID, At: epoch}
			switch {
			case inFlight[i] > 0 && rapid.Bool().Draw(t, "done"):
				inFlight[i]--
				e.Kind, e.Load = balance.Done, &balance.Load{InFlight: inFlight[i]}
			default:
				inFlight[i]++
				e.Kind = balance.Sent
			}
			both(e)
			for _, s := range []balance.Strategy{table, ours} {
				got := s.Pick(epoch, rng, view, balance.Request{})
				for k := range view {
					if better(view, inFlight, k, got) {
						t.Fatalf("%T picked %d, and %d is better: %v in flight of %+v", s, got, k, inFlight, view)
					}
				}
			}
		}
	})
}

func better(view []balance.Endpoint, inFlight []int, a, b int) bool {
	if view[a].Healthy != view[b].Healthy {
		return view[a].Healthy
	}
	return float64(inFlight[a])/view[a].Weight < float64(inFlight[b])/view[b].Weight
}

// Among equals it picks by weight. 7000 picks of 4/7 have a deviation of 41.
func TestTheOracleBreaksTiesByWeight(t *testing.T) {
	view := []balance.Endpoint{
		{ID: "a", Healthy: true, Weight: 1}, {ID: "b", Healthy: true, Weight: 2}, {ID: "c", Healthy: true, Weight: 4},
	}
	o := newOracle()
	o.know(view)
	rng := rand.New(rand.NewPCG(3, 4))
	var got [3]int
	for range 7000 {
		got[o.Pick(time.Time{}, rng, view, balance.Request{})]++
	}
	for i, want := range []int{1000, 2000, 4000} {
		if d := got[i] - want; d < -205 || d > 205 {
			t.Errorf("%v picks by weights 1, 2 and 4", got)
		}
	}
}
