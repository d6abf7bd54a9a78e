package customers_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/customers"
	"breakbank/loadgen/evidence"
)

// days are some days: from midnight in real time, and at a pace over several
// midnights.
var days = []struct {
	day   customers.Day
	lasts time.Duration
}{
	{customers.Day{MeanPerS: 0.5, Pace: 1}, 24 * time.Hour},
	{customers.Day{MeanPerS: 300, From: 13*time.Hour + 55*time.Minute, Pace: 60}, 96 * time.Second},
	{customers.Day{MeanPerS: 1000, From: 23 * time.Hour, Pace: 6 * 3600}, 20 * time.Second}, // 5 days
	{customers.Day{MeanPerS: 2, From: 3*time.Hour + time.Nanosecond, Pace: 100_000}, 100 * time.Second},
}

// TestADayKeepsItsRate compares arrivals with the integral of Rate: a Poisson
// count of mean m lies within 5 √m of it but for one time in a million.
func TestADayKeepsItsRate(t *testing.T) {
	for _, d := range days {
		s := draw(t, loadgen.Plan{Seed: 5, Pacer: d.day, Duration: d.lasts})
		const windows, cells = 24, 1000
		for w := range windows {
			from, to := d.lasts*time.Duration(w)/windows, d.lasts*time.Duration(w+1)/windows
			want := 0.0
			for c := range cells {
				at := from + (to-from)*time.Duration(2*c+1)/(2*cells)
				want += d.day.Rate(at) * (to - from).Seconds() / cells
			}
			if expected := d.day.Expected(to) - d.day.Expected(from); math.Abs(expected-want) > want/500 {
				t.Errorf("%+v: %.2f arrivals expected from %v to %v, the rate's integral is %.2f", d.day, expected, from, to, want)
			}
			if got := float64(s.Until(to) - s.Until(from)); math.Abs(got-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("%+v: %v arrivals from %v to %v, %.1f expected", d.day, got, from, to, want)
			}
		}
	}
}

// TestADayIsAPoissonProcess: at 1 %, 40 fair draws are rejected 5 times or more
// once in 10,000.
func TestADayIsAPoissonProcess(t *testing.T) {
	rejected := 0
	day := customers.Day{MeanPerS: 300, From: 7 * time.Hour, Pace: 3600}
	for seed := range uint64(40) {
		s := draw(t, loadgen.Plan{Seed: seed, Pacer: day, Duration: 10 * time.Second})
		ks, tested := evidence.ScheduleKS(s, day)
		if !tested {
			t.Fatal("a day has no law")
		}
		if ks.P < 0.01 {
			rejected++
		}
	}
	if rejected >= 5 {
		t.Errorf("%d of 40 schedules are rejected", rejected)
	}
	s := draw(t, loadgen.Plan{Seed: 1, Pacer: day, Duration: 10 * time.Second})
	flat := customers.Day{MeanPerS: day.Rate(0), From: 4 * time.Hour, Pace: 3600}
	if ks, _ := evidence.ScheduleKS(s, flat); ks.P > 1e-6 {
		t.Errorf("a morning passes for a night (P = %v)", ks.P)
	}
}

// TestTheShapeOfADay: its mean is what it is said to be, two thirds of it lie
// from 11 to 18 o'clock, and nights are quiet.
func TestTheShapeOfADay(t *testing.T) {
	day := customers.Day{MeanPerS: 10, Pace: 1}
	all := day.Expected(24 * time.Hour)
	if want := 10 * 24 * 3600.0; math.Abs(all-want) > 1e-6*want {
		t.Errorf("%v arrivals a day, want %v", all, want)
	}
	if share := (day.Expected(18*time.Hour) - day.Expected(11*time.Hour)) / all; math.Abs(share-2.0/3) > 0.02 {
		t.Errorf("%.3f of a day lie from 11 to 18 o'clock, want two thirds", share)
	}
	if noon, night := day.Rate(12*time.Hour+30*time.Minute), day.Rate(3*time.Hour); noon < 20*night {
		t.Errorf("%v a second at noon, %v at night", noon, night)
	}
	from := customers.DayFrom(500, 14*time.Hour, 60)
	if rate := from.Rate(0); math.Abs(rate-500) > 1e-9 {
		t.Errorf("a day that starts at 500 a second starts at %v", rate)
	}
}

func TestDaysThatCannotBe(t *testing.T) {
	for want, day := range map[string]customers.Day{
		"above 0 per second":      {Pace: 1},
		"not +Inf":                {MeanPerS: math.Inf(1), Pace: 1},
		"a pace of 0":             {MeanPerS: 1},
		"a pace of 1e+07":         {MeanPerS: 1, Pace: 1e7},
		"24h0m0s is no time of a": {MeanPerS: 1, Pace: 1, From: 24 * time.Hour},
	} {
		if err := day.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", day, err, want)
		}
	}
}
