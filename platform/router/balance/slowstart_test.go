package balance

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSlowStart(t *testing.T) {
	for _, c := range []struct {
		aggression float64
		age        time.Duration
		want       float64
	}{
		{1, -time.Second, 0.1},
		{1, 0, 0.1},
		{1, 3 * time.Second, 0.1},
		{1, 15 * time.Second, 0.5},
		{1, 30 * time.Second, 1},
		{1, time.Hour, 1},
		{2, 7500 * time.Millisecond, 0.5}, // sooner
		{0.5, 15 * time.Second, 0.25},     // later
	} {
		s := SlowStartConfig{Aggression: c.aggression}.WithDefaults()
		if got := s.Weight(c.age); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("aggression %v, %v old: weight %v, want %v", c.aggression, c.age, got, c.want)
		}
	}
}

// The weight never falls with age and stays between its minimum and 1.
func TestSlowStartRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := SlowStartConfig{
			Window:     time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "window")),
			Aggression: rapid.Float64Range(0.01, 100).Draw(t, "aggression"),
			MinWeight:  rapid.Float64Range(0.001, 1).Draw(t, "min"),
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		last := s.MinWeight
		for i := range 20 {
			w := s.Weight(s.Window * time.Duration(i) / 10)
			if w < last || w > 1 {
				t.Fatalf("weight %v after %v", w, last)
			}
			last = w
		}
	})
}
