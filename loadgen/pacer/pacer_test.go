package pacer

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"breakbank/loadgen"
	"breakbank/loadgen/draw"
	"breakbank/loadgen/transport"

	"pgregory.net/rapid"
)

// pacers are all pacers, each at about 500 a second over ten seconds. Whoever
// adds a pacer adds it here, and all tests of this file hold for it.
var pacers = []struct {
	name  string
	pacer loadgen.Pacer
	// dispersion is the variance of a count over its mean: 1 of a Poisson
	// process, 0 where nothing is left to chance.
	dispersion float64
}{
	{"poisson", Poisson{PerS: 500}, 1},
	{"constant", Constant{PerS: 500}, 0},
	{"constant off the grid", Constant{PerS: 499.7}, 0},
	{"ramp up", Ramp{FromPerS: 0, ToPerS: 1000, Over: 8 * time.Second}, 1},
	{"ramp down", Ramp{FromPerS: 1000, ToPerS: 100, Over: 5 * time.Second}, 1},
	{"ramp to nothing", Ramp{FromPerS: 1000, ToPerS: 0, Over: 9 * time.Second}, 1},
	{"step", Step{FromPerS: 100, ToPerS: 900, At: 5 * time.Second}, 1},
	{"step from nothing", Step{FromPerS: 0, ToPerS: 900, At: 5 * time.Second}, 1},
	{"burst", Burst{BasePerS: 250, PeakPerS: 1500, Every: time.Second, For: 200 * time.Millisecond}, 1},
	{"burst from nothing", Burst{BasePerS: 0, PeakPerS: 2500, Every: 500 * time.Millisecond, For: 100 * time.Millisecond}, 1},
	{"sine", Sine{MeanPerS: 500, SwingPerS: 400, Period: 3 * time.Second}, 1},
	{"sine down to nothing", Sine{MeanPerS: 500, SwingPerS: 500, Period: 700 * time.Millisecond}, 1},
	{"trace", traceOf(Constant{PerS: 500}, 10*time.Second), 0},
}

// traceOf is a trace of another pacer's arrivals.
func traceOf(p loadgen.Pacer, lasts time.Duration) Trace {
	var file strings.Builder
	stream := draw.New(9, "trace", "times")
	for at := p.Next(0, stream.Exponential); at < lasts; at = p.Next(at, stream.Exponential) {
		fmt.Fprintf(&file, "%.9f\n", at.Seconds())
	}
	t, err := ParseTrace("trace", strings.NewReader(file.String()))
	if err != nil {
		panic(err)
	}
	return t
}

func schedule(t testing.TB, seed uint64, p loadgen.Pacer, lasts time.Duration) *loadgen.Schedule {
	t.Helper()
	s, err := loadgen.Draw(loadgen.Plan{Seed: seed, Pacer: p, Duration: lasts, Journeys: []loadgen.JourneySpec{{
		Name: "call", Weight: 1, Patience: time.Second,
		Steps: []loadgen.Step{{Build: func(*loadgen.Visit, *transport.Call) error { return nil }}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// expected is the integral of Rate by the midpoints of milliseconds. It is off
// by a share of (ω h)²/24 of what a curve of frequency ω swings by, with h a
// millisecond: 4e-6 on the quickest one here. Straight lines are exact.
func expected(p loadgen.Pacer, from, to time.Duration) (sum float64) {
	for at := from; at < to; at += time.Millisecond {
		sum += p.Rate(at+time.Millisecond/2) / 1000
	}
	return sum
}

// TestPacersKeepTheirRate compares arrivals in each half second with the
// integral of Rate: a Poisson count of mean m lies within 5 √m of it but for
// one time in a million; what is left to no chance lies within 1.
func TestPacersKeepTheirRate(t *testing.T) {
	const window = 500 * time.Millisecond
	for _, p := range pacers {
		s := schedule(t, 5, p.pacer, 10*time.Second)
		for from := time.Duration(0); from < s.Duration; from += window {
			want := expected(p.pacer, from, from+window)
			got := float64(s.Until(from+window) - s.Until(from))
			if math.Abs(got-want) > 5*math.Sqrt(want*p.dispersion)+1 {
				t.Errorf("%s: %v arrivals from %v to %v, %.1f expected", p.name, got, from, from+window, want)
			}
		}
	}
}

// TestPacersAreAsVariedAsTheyClaim: over 400 seeds, the variance of a count of
// Poisson arrivals is its mean. The variance of n normal draws is off by a share
// of 5 √(2/n) = 0.35 once in a million.
func TestPacersAreAsVariedAsTheyClaim(t *testing.T) {
	const seeds, lasts = 400, 700 * time.Millisecond
	for _, p := range pacers {
		want := expected(p.pacer, 0, lasts)
		if want < 20 {
			continue // too few for the normal law
		}
		sum, squares := 0.0, 0.0
		for seed := range uint64(seeds) {
			n := float64(len(schedule(t, seed, p.pacer, lasts).Arrivals))
			sum, squares = sum+n, squares+n*n
		}
		mean := sum / seeds
		variance := squares/seeds - mean*mean
		if math.Abs(mean-want) > 5*math.Sqrt(want*p.dispersion/seeds)+1 || math.Abs(variance-p.dispersion*want) > 0.35*p.dispersion*want {
			t.Errorf("%s: mean %.1f and variance %.1f, want %.1f and %.1f", p.name, mean, variance, want, p.dispersion*want)
		}
	}
}

// TestExpectedIsTheIntegralOfRate at any two times.
func TestExpectedIsTheIntegralOfRate(t *testing.T) {
	for _, p := range pacers {
		law, ok := p.pacer.(interface{ Expected(time.Duration) float64 })
		if ok != (p.dispersion == 1) {
			t.Errorf("%s: a pacer has Expected just when its arrivals are a Poisson process", p.name)
		}
		if !ok {
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			at := rapid.Int64Range(0, 12_000).Draw(t, "ms")
			from, to := time.Duration(at)*time.Millisecond, time.Duration(at+rapid.Int64Range(0, 2000).Draw(t, "for"))*time.Millisecond
			if got, want := law.Expected(to)-law.Expected(from), expected(p.pacer, from, to); math.Abs(got-want) > 1e-5*(1+500*(to-from).Seconds()) {
				t.Fatalf("%s: %v expected from %v to %v, the rate's integral is %v", p.name, got, from, to, want)
			}
		})
	}
}

// TestPacersGoOn: from any time and with any draw, the next arrival is later, or
// at the same time where the draw is next to nothing; it is a function of
// both; and a rate is never below 0.
func TestPacersGoOn(t *testing.T) {
	for _, p := range pacers {
		rapid.Check(t, func(t *rapid.T) {
			prev := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "prev"))
			seed := rapid.Uint64().Draw(t, "seed")
			tiny := rapid.Bool().Draw(t, "tiny")
			next := func() time.Duration {
				stream := draw.New(seed, "main", "times")
				first := true
				return p.pacer.Next(prev, func() float64 {
					if first && tiny {
						first = false
						return 0x1p-53
					}
					return stream.Exponential()
				})
			}
			at := next()
			if at < prev || (p.dispersion == 0 && at == prev) {
				t.Fatalf("%s: after %v comes %v", p.name, prev, at)
			}
			if again := next(); again != at {
				t.Fatalf("%s: after %v comes %v, then %v", p.name, prev, at, again)
			}
			if rate := p.pacer.Rate(prev); !(rate >= 0) || math.IsInf(rate, 0) {
				t.Fatalf("%s: a rate of %v at %v", p.name, rate, prev)
			}
		})
	}
}

// TestNothingComesWhereTheRateIsNothing for ever after.
func TestNothingComesWhereTheRateIsNothing(t *testing.T) {
	stream := draw.New(1, "main", "times")
	for name, p := range map[string]loadgen.Pacer{
		"ramp": Ramp{FromPerS: 10, ToPerS: 0, Over: time.Second},
		"step": Step{FromPerS: 10, ToPerS: 0, At: time.Second},
		"sine": Sine{MeanPerS: 1e-12, SwingPerS: 1e-12, Period: time.Second},
		"rare": Poisson{PerS: 1e-12},
		"slow": Constant{PerS: 1e-12},
	} {
		if at := p.Next(time.Minute, stream.Exponential); at != never {
			t.Errorf("%s: an arrival at %v", name, at)
		}
	}
}

// TestConstantDoesNotDrift: the beat at rate 3 is no whole number of
// nanoseconds, and the millionth comes when it should all the same.
func TestConstantDoesNotDrift(t *testing.T) {
	c, at := Constant{PerS: 3}, time.Duration(0)
	for range 1_000_000 {
		at = c.Next(at, nil)
	}
	if want := after(0, 1_000_000.0/3); at != want {
		t.Errorf("the millionth beat is at %v, want %v", at, want)
	}
}

func TestSinTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Float64Range(0, 1).Draw(t, "u")
		if got, want := sinTurn(u), math.Sin(2*math.Pi*u); math.Abs(got-want) > 1e-15 {
			t.Fatalf("the sine of %v turns is %v, want %v", u, got, want)
		}
	})
}

// TestGoldenSchedules holds the newest pacers' schedules of a seed fixed: across
// versions of this code, of Go, and across machines. The others' are held with
// the bank's customers.
func TestGoldenSchedules(t *testing.T) {
	for _, c := range []struct {
		pacer loadgen.Pacer
		want  string
	}{
		{Sine{MeanPerS: 500, SwingPerS: 400, Period: 3 * time.Second}, "6d516f0c1fd6075283218a0e8551be7e6902eb0e346d0dc07d1c25b44f4ea61c"},
		{Constant{PerS: 499.7}, "6ba23da3e7a17b9623826dcbbc0bc1988eaafb51a8651923af9ce8f70972c58a"},
		{traceOf(Poisson{PerS: 500}, 10*time.Second), "fb2c777bd9a205b0496927f2e288be9524839f93b2fb6f6b83c6fb4e6e7ede6c"},
	} {
		if got := schedule(t, 1, c.pacer, 10*time.Second).SHA256(); got != c.want {
			t.Errorf("%s: the schedule of seed 1 has changed to %s", Text(c.pacer), got)
		}
	}
}

// TestSchedulesAreInOrder whatever the pacer, the seed and the duration.
func TestSchedulesAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(pacers).Draw(t, "pacer")
		lasts := time.Duration(rapid.Int64Range(1, 10e9).Draw(t, "ns"))
		stream := draw.New(rapid.Uint64().Draw(t, "seed"), "main", "times")
		last := time.Duration(0)
		for n := 0; last < lasts; n++ {
			at := p.pacer.Next(last, stream.Exponential)
			if at < last {
				t.Fatalf("%s: arrival %d at %v, after %v", p.name, n, at, last)
			}
			if n > 100_000 {
				t.Fatalf("%s: more than %d arrivals in %v", p.name, n, at)
			}
			last = at
		}
	})
}

func TestPacersThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		pacer loadgen.Validator
		want  string
	}{
		{Poisson{}, "above 0 per second"},
		{Poisson{PerS: math.NaN()}, "NaN per second is not a rate"},
		{Poisson{PerS: math.Inf(1)}, "is not a rate"},
		{Poisson{PerS: 1e12}, "more than can be sent"},
		{Constant{PerS: -1}, "-1 per second is not a rate"},
		{Ramp{ToPerS: 2}, "longer than 0s"},
		{Ramp{Over: time.Second}, "above 0 per second"},
		{Step{FromPerS: -1, ToPerS: 2}, "is not a rate"},
		{Step{FromPerS: 1, ToPerS: 2, At: -time.Second}, "before the start"},
		{Burst{PeakPerS: 2}, "is not a burst"},
		{Burst{PeakPerS: 2, Every: time.Second, For: time.Second}, "is not a burst"},
		{Sine{MeanPerS: 5, SwingPerS: 1}, "a period of 0s"},
		{Sine{MeanPerS: 5, SwingPerS: 6, Period: time.Second}, "goes below 0"},
		{Sine{MeanPerS: 9e6, SwingPerS: 9e6, Period: time.Second}, "more than can be sent"},
		{Trace{}, "no arrivals"},
	} {
		if err := c.pacer.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want an error with %q", c.pacer, err, c.want)
		}
	}
	for _, p := range pacers {
		if err := p.pacer.(loadgen.Validator).Validate(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}
