package capacity

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"breakbank/bench/load"
)

// TestTooFewRequestsAreNoMiss: a probe in which too few were due says nothing of
// the target, whatever it made of them. One in which enough were due, of which the
// target left too few, has missed.
func TestTooFewRequestsAreNoMiss(t *testing.T) {
	objective, err := ParseObjective("p99<22ms")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		scheduled int64
		want      Outcome
	}{
		"too few were due": {92, Invalid},
		"enough were due":  {100, Missed},
	} {
		r := &load.Result{Valid: true}
		r.Totals.Scheduled, r.Totals.Sent = c.scheduled, c.scheduled
		_, got, why := judge(&objective, r, Curve)
		if got != c.want || got == Invalid && (len(why) != 1 || !strings.Contains(why[0], "92 requests are too few")) {
			t.Errorf("%s: %v %q, want %v", name, got, why, c.want)
		}
	}
}

// TestTheCurveIsLongEnough: each of its points has enough requests for the
// objective, whatever --probe says, and what cannot have enough in a minute is
// left out.
func TestTheCurveIsLongEnough(t *testing.T) {
	for name, c := range map[string]struct {
		perS, startPerS float64
		probe           time.Duration
		points          int
	}{
		"a short probe":     {1000, 500, time.Second, curvePoints},
		"a slow target":     {10, 5, 0, curvePoints - 2}, // not 1 and 2 a second
		"a probe of an age": {10, 5, time.Hour, curvePoints},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(t)
				o.Probe, o.Plan.StartPerS = c.probe, c.startPerS
				if err := o.Check(); err != nil {
					t.Fatal(err)
				}
				r, _, err := search(t, t.Context(), o, newQueue(c.perS))
				if err != nil {
					t.Fatal(err)
				}
				curve := r.in(Curve)
				if len(curve) != c.points {
					t.Errorf("%d points", len(curve))
				}
				for _, p := range curve {
					if due := p.RatePerS * o.lengthIn(Curve, p.RatePerS).Seconds(); due < 130 {
						t.Errorf("at %g/s about %.0f requests are due", p.RatePerS, due)
					}
				}
			})
		})
	}
}

// TestSurely: of a Poisson process with that mean fewer come but once in several
// hundred.
func TestSurely(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{100, 1000} {
		mean, few := surely(n), 0
		const times = 20_000
		for range times {
			came, at := 0, 0.0
			for at += rng.ExpFloat64(); at < mean; at += rng.ExpFloat64() {
				came++
			}
			if came < n {
				few++
			}
		}
		if share := float64(few) / times; share > 0.003 {
			t.Errorf("%d of a mean of %g: too few in %g of all", n, mean, share)
		}
	}
}
