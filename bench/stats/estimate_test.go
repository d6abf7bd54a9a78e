package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// An interval of 95 % over 20 replicates should hold the truth in 95 of 100
// cases. The percentile method is a little narrow with so few: 92 % is usual.
func TestIntervalsHoldTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const cases, replicates, truth = 200, 20, 3.0
	held := 0
	for range cases {
		values := make([]float64, replicates)
		for i := range values {
			values[i] = truth + rng.NormFloat64()
		}
		if e := Mean(values); e.Low <= truth && truth <= e.High {
			held++
		}
	}
	// 200 cases at 92 % have a deviation of 3.8: this is 5 of them away.
	if held < 165 || held == cases {
		t.Errorf("%d of %d intervals hold the truth", held, cases)
	}
}

func TestTheSameReplicatesGiveTheSameInterval(t *testing.T) {
	values := []float64{3, 1, 4, 1, 5, 9, 2, 6}
	if a, b := Mean(values), Mean(values); a != b {
		t.Errorf("%v and then %v", a, b)
	}
}

func TestRatioPairsReplicates(t *testing.T) {
	// Twice as much in every replicate, however much they differ.
	e := Ratio([]float64{2, 20, 200}, []float64{1, 10, 100})
	if math.Abs(e.Low-2) > 1e-12 || math.Abs(e.High-2) > 1e-12 {
		t.Errorf("%+v: every pair has the ratio 2", e)
	}
}

func TestOneReplicateHasNoInterval(t *testing.T) {
	if e := Mean([]float64{7}); e != (Estimate{7, 7, 7}) {
		t.Errorf("%+v", e)
	}
}
