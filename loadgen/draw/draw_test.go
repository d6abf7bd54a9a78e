package draw

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLnAndExpAgreeWithMath(t *testing.T) {
	near := func(got, want float64) bool {
		return math.Abs(got-want) <= 4e-15*math.Max(1, math.Abs(want))
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(0x1p-53, 1e6).Draw(t, "x")
		if got := Ln(x); !near(got, math.Log(x)) {
			t.Fatalf("Ln(%v) = %v, want %v", x, got, math.Log(x))
		}
		y := rapid.Float64Range(-12, 12).Draw(t, "y")
		if got := Exp(y); !near(got, math.Exp(y)) {
			t.Fatalf("Exp(%v) = %v, want %v", y, got, math.Exp(y))
		}
	})
}

// TestDraws checks means and variances of 100,000 draws; the bounds are some
// five standard errors.
func TestDraws(t *testing.T) {
	const n = 100_000
	s := New(1, "main", "test")
	for _, law := range []struct {
		name           string
		draw           func() float64
		mean, variance float64
	}{
		{"unit", s.Unit, 0.5, 1.0 / 12},
		{"exponential", s.Exponential, 1, 1},
		{"normal", s.Normal, 0, 1},
		{"below 7", func() float64 { return float64(s.Below(7)) }, 3, 4},
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
		v := New(1, key[0], key[1]).pcg.Uint64()
		if other, ok := first[v]; ok {
			t.Errorf("%v draws the same as %s", key, other)
		}
		first[v] = key[0] + "/" + key[1]
	}
}

// TestDrawsAreTheSameEverywhere holds the draws of a key fixed to the bit: across
// versions of this code, of Go, and across machines.
func TestDrawsAreTheSameEverywhere(t *testing.T) {
	s := New(1, "main", "golden")
	for _, c := range []struct {
		name string
		got  float64
		want uint64
	}{
		{"unit", s.Unit(), 0x3fe621ae497d30f5},
		{"exponential", s.Exponential(), 0x3fbce2f707e09422},
		{"normal", s.Normal(), 0x3fe2346018cd0001},
		{"log-normal", s.LogNormal(2000, 0.8), 0x408ba8a6f950238d},
		{"below", float64(s.Below(1_000_003)), 0x4109642800000000},
	} {
		if got := math.Float64bits(c.got); got != c.want {
			t.Errorf("%s: %v, bits %#x, want %#x", c.name, c.got, got, c.want)
		}
	}
}

// TestLogNormal: of 100,000 draws, the mean is the one asked for and half lie
// below mean × e^(-σ²/2). The bounds are five standard errors.
func TestLogNormal(t *testing.T) {
	const n, mean, sigma = 100_000, 2000.0, 0.8
	s := New(2, "main", "test")
	sum, low := 0.0, 0.0
	for range n {
		x := s.LogNormal(mean, sigma)
		sum += x
		if x < mean*math.Exp(-sigma*sigma/2) {
			low++
		}
	}
	deviation := mean * math.Sqrt(math.Expm1(sigma*sigma))
	if got := sum / n; math.Abs(got-mean) > 5*deviation/math.Sqrt(n) {
		t.Errorf("mean %v, want %v", got, mean)
	}
	if share := low / n; math.Abs(share-0.5) > 5*0.5/math.Sqrt(n) {
		t.Errorf("a share of %v lies below the median", share)
	}
}

// TestBelowIsEven: counts of n draws into k cells have a chi-square of mean k-1
// and variance 2(k-1). k = 3·2^62 is where a plain remainder would draw the
// first third twice as often.
func TestBelowIsEven(t *testing.T) {
	const n = 90_000
	s := New(3, "main", "test")
	for _, c := range []struct{ below, cell uint64 }{{3, 1}, {7, 1}, {100, 1}, {3 << 62, 1 << 62}} {
		k := c.below / c.cell
		counts := make([]float64, k)
		for range n {
			counts[s.Below(c.below)/c.cell]++
		}
		chi, want := 0.0, float64(n)/float64(k)
		for _, count := range counts {
			chi += (count - want) * (count - want) / want
		}
		if free := float64(k - 1); chi > free+6*math.Sqrt(2*free) {
			t.Errorf("below %d: chi-square %.1f of %.0f degrees, counts %v", c.below, chi, free, counts)
		}
	}
}

// TestTheSameKeyDrawsTheSame and a stream of one purpose is not moved by how much
// another one draws.
func TestTheSameKeyDrawsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, load, purpose := rapid.Uint64().Draw(t, "seed"), rapid.String().Draw(t, "load"), rapid.String().Draw(t, "purpose")
		a, other, b := New(seed, load, purpose), New(seed, load, purpose+"'"), New(seed, load, purpose)
		for range 10 {
			want := a.Unit()
			for range rapid.IntRange(0, 3).Draw(t, "others") {
				other.Exponential()
			}
			if got := b.Unit(); got != want {
				t.Fatalf("%v, then %v", want, got)
			}
		}
	})
}
