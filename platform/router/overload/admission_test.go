package overload

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAdmissionProbability(t *testing.T) {
	for _, c := range []struct {
		k                float64
		accepted, failed int
		want             float64
	}{
		{2, 0, 0, 0},
		{2, 0, 5, 0}, // free
		{2, 0, 6, 1.0 / 7},
		{2, 500, 500, 0}, // half may fail
		{1.5, 500, 500, 245.0 / 1001},
		{2, 100, 900, 795.0 / 1001},
	} {
		a := newAdmission(AdmissionConfig{K: c.k}.WithDefaults())
		for range c.accepted {
			a.Done(epoch, 0, Answered)
		}
		for range c.failed {
			a.Done(epoch, 0, Failed)
		}
		if got := a.Pressure(epoch); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("k %v, %d accepted, %d failed: refused with %v, want %v", c.k, c.accepted, c.failed, got, c.want)
		}
		if got := a.Pressure(epoch.Add(AdmissionWindow)); got != 0 {
			t.Errorf("refused with %v a window later", got)
		}
	}
}

// The probability is one, and a service that accepts all is never refused
// anything.
func TestAdmissionSparesTheWell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAdmission(AdmissionConfig{K: rapid.Float64Range(1.01, 10).Draw(t, "k")}.WithDefaults())
		rng := rand.New(rand.NewPCG(1, 1))
		now, well := epoch, rapid.Bool().Draw(t, "well")
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "ms")) * time.Millisecond)
			if p := a.Pressure(now); p < 0 || p >= 1 || well && p > 0 {
				t.Fatalf("refused with %v, well %v", p, well)
			}
			if a.Admit(now, rng, Critical) {
				o := Answered
				if !well && rapid.Bool().Draw(t, "fails") {
					o = Failed
				}
				a.Done(now, 0, o)
			}
		}
	})
}
