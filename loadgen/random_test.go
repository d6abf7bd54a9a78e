package loadgen

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLnAndExpAgreeWithMath(t *testing.T) {
	near := func(got, want float64) bool {
		return math.Abs(got-want) <= 4e-15*math.Max(1, math.Abs(want))
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(0x1p-53, 1e6).Draw(t, "x")
		if got := ln(x); !near(got, math.Log(x)) {
			t.Fatalf("ln(%v) = %v, want %v", x, got, math.Log(x))
		}
		y := rapid.Float64Range(-12, 12).Draw(t, "y")
		if got := exp(y); !near(got, math.Exp(y)) {
			t.Fatalf("exp(%v) = %v, want %v", y, got, math.Exp(y))
		}
	})
}

// TestDraws checks means and variances of 100,000 draws; the bounds are some
// five standard errors.
func TestDraws(t *testing.T) {
	const n = 100_000
	s := newStream(1, LoadMain, "test")
	for _, law := range []struct {
		name           string
		draw           func() float64
		mean, variance float64
	}{
		{"unit", s.unit, 0.5, 1.0 / 12},
		{"exponential", s.exponential, 1, 1},
		{"normal", s.normal, 0, 1},
		{"below 7", func() float64 { return float64(s.below(7)) }, 3, 4},
	} {
		sum, squares := 0.0, 0.0
		for range n {
			x := law.draw()
			sum += x
			squares += (x - law.mean) * (x - law.mean)
		}
		if mean := sum / n; math.Abs(mean-law.mean) > 5*math.Sqrt(law.variance/n) {
			t.Errorf("%s: mean %v, want %v", law.name, mean, law.mean)
		}
		if variance := squares / n; math.Abs(variance-law.variance) > 0.05*law.variance {
			t.Errorf("%s: variance %v, want %v", law.name, variance, law.variance)
		}
	}
}

func TestStreamsDiffer(t *testing.T) {
	first := map[uint64]string{}
	for _, key := range [][2]string{{"main", "times"}, {"main", "amounts"}, {"warmup", "times"}, {"maint", "imes"}} {
		v := newStream(1, key[0], key[1]).pcg.Uint64()
		if other, ok := first[v]; ok {
			t.Errorf("%v draws the same as %s", key, other)
		}
		first[v] = key[0] + "/" + key[1]
	}
}

func TestAScheduleIsBounded(t *testing.T) {
	_, err := draw(Plan{Pacer: Constant{PerS: 1000}, Duration: time.Second, Customers: make([]Customer, 1)}, 100)
	if err == nil || !strings.Contains(err.Error(), "more than 100 arrivals") {
		t.Errorf("got %v", err)
	}
}
