package evidence_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"breakbank/loadgen"
	"breakbank/loadgen/evidence"
)

func TestStationary(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	series := func(n int, f func(i int) float64) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = f(i)
		}
		return v
	}
	for _, c := range []struct {
		name       string
		windows    []float64
		tolerance  evidence.Tolerance
		stationary bool
	}{
		{"noise", series(15, func(int) float64 { return 5 + r.Float64() }), evidence.LatencyTolerance, true},
		{"constant", series(15, func(int) float64 { return 1 }), evidence.ShareTolerance, true},
		{"a slow but clear rise", series(15, func(i int) float64 { return 5 + 0.01*float64(i) }), evidence.LatencyTolerance, true},
		{"a rise that matters", series(15, func(i int) float64 { return 5 + 0.5*float64(i) }), evidence.LatencyTolerance, false},
		{"warming up", series(15, func(i int) float64 { return 20 - float64(i) }), evidence.LatencyTolerance, false},
		{"one bad window", series(15, func(i int) float64 { return float64(5 + 100*(i/14)) }), evidence.LatencyTolerance, true},
		{"losing more and more", series(15, func(i int) float64 { return 1 - 0.002*float64(i) }), evidence.ShareTolerance, false},
	} {
		got, err := evidence.Stationary(c.windows, c.tolerance)
		if err != nil || got.Stationary != c.stationary {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	got, err := evidence.Stationary([]float64{1, 2, 3, 4, 5, 6}, evidence.ShareTolerance)
	if err != nil || math.Abs(got.P-0.0085) > 0.0001 {
		t.Errorf("six in a row: %+v, %v", got, err)
	}
	if _, err := evidence.Stationary([]float64{1, 2, 3, 4, 5}, evidence.ShareTolerance); err == nil {
		t.Error("five windows were judged")
	}
}

func TestWindows(t *testing.T) {
	at := func(intendedMs, doneMs int64, o loadgen.Outcome) loadgen.Record {
		return loadgen.Record{IntendedNs: intendedMs * ms, SentNs: intendedMs * ms, DoneNs: doneMs * ms, Decision: loadgen.Decision{Outcome: o}}
	}
	medians, shares := evidence.Windows([]loadgen.Record{
		at(50, 51, loadgen.Failed), // before
		at(100, 110, loadgen.OK), at(150, 170, loadgen.Declined), at(190, 220, loadgen.Failed), at(199, 239, loadgen.Degraded),
		at(350, 353, loadgen.OK),
		at(401, 500, loadgen.Failed), // in the last, cut short
	}, 100*ms, 450*ms, 100*ms)
	if len(medians) != 2 || medians[0] != 25 || medians[1] != 3 || shares[0] != 0.5 || shares[1] != 1 {
		t.Errorf("%v, %v", medians, shares)
	}
}
