package capacity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"
)

// TestSearchTranscripts plays searches against simulated targets; the prose of
// testdata/search says what there is to see.
func TestSearchTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/search", func(t *testing.T, path string) {
		var s *Search
		var simulated *target
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "search":
				p := Plan{MinPerS: 1, MaxPerS: 1_000_000, ConfirmMax: 20, Seed: 1}
				d.ScanArgs(t, "start", &p.StartPerS)
				percent := 5.0
				d.MaybeScanArgs(t, "resolution", &percent)
				p.Resolution = percent / 100
				d.MaybeScanArgs(t, "max", &p.MaxPerS)
				d.MaybeScanArgs(t, "min", &p.MinPerS)
				d.MaybeScanArgs(t, "confirm", &p.ConfirmMax)
				if err := p.Check(); err != nil {
					return err.Error() + "\n"
				}
				s = NewSearch(p)
				return fmt.Sprintf("about %d probes to come\n", s.Left())
			case "target":
				simulated = newTarget(1, 0, 1)
				d.ScanArgs(t, "carries", &simulated.perS)
				d.MaybeScanArgs(t, "noise", &simulated.noise)
				d.MaybeScanArgs(t, "generator", &simulated.generatorPerS)
				return ""
			case "probe": // Until the phase changes.
				return line(s, simulated.probe)
			case "tell": // Whatever the target says.
				outcomes := strings.Fields(d.Input)
				return line(s, func(float64) Outcome {
					if len(outcomes) == 0 {
						return 0
					}
					said := outcomes[0]
					outcomes = outcomes[1:]
					for o, name := range outcomeNames {
						if name == said {
							return Outcome(o)
						}
					}
					d.Fatalf(t, "no outcome %q", said)
					return 0
				})
			case "finding":
				return findingText(s)
			}
			d.Fatalf(t, "no command %q", d.Cmd)
			return ""
		})
	})
}

// line makes the probes of one phase and writes them in a line.
func line(s *Search, probe func(perS float64) Outcome) string {
	var b strings.Builder
	first, _, more := s.Next()
	fmt.Fprintf(&b, "%s:", first)
	for more {
		phase, perS, _ := s.Next()
		if phase != first {
			break
		}
		o := probe(perS)
		if o == 0 {
			break
		}
		fmt.Fprintf(&b, " %g %s", perS, o)
		s.Tell(o)
		if _, _, more = s.Next(); more {
			b.WriteString(",")
		}
	}
	text := strings.TrimSuffix(b.String(), ",")
	if _, _, more := s.Next(); !more {
		text += "; done"
	}
	return text + "\n"
}

func findingText(s *Search) string {
	f := s.Finding()
	text := string(f.End)
	if f.Capacity != nil {
		text += fmt.Sprintf(": %.1f/s (%.1f–%.1f)", f.Capacity.Value, f.Capacity.Low, f.Capacity.High)
	}
	if f.AtLeastPerS > 0 {
		text += fmt.Sprintf(", met up to %g/s", f.AtLeastPerS)
	}
	if f.BelowPerS > 0 {
		text += fmt.Sprintf(", not at %g/s", f.BelowPerS)
	}
	return fmt.Sprintf("%s; about %d probes to come\n", text, s.Left())
}

// TestTheIntervalCoversTheTruth is what a 95 % interval promises, on targets
// from the one that is always the same to one whose capacity differs by 20 % from
// probe to probe, and with accidents. Over 1,000 seeds each it was 90.3 to 100 %;
// what is below 95 is the widest noise, where 20 probes are few.
func TestTheIntervalCoversTheTruth(t *testing.T) {
	const seeds, least = 200, 0.90
	for _, c := range []struct {
		resolution, noise, accidents float64
	}{
		{0.05, 0, 0}, {0.05, 0.02, 0}, {0.05, 0.05, 0.02}, {0.05, 0.1, 0}, {0.1, 0.05, 0}, {0.1, 0.2, 0.02},
	} {
		t.Run(fmt.Sprintf("resolution %g, noise %g, accidents %g", c.resolution, c.noise, c.accidents), func(t *testing.T) {
			t.Parallel()
			covered, bias := 0, 0.0
			for seed := range uint64(seeds) {
				rng := rand.New(rand.NewPCG(seed, 3))
				truth := 60 * math.Pow(1000, rng.Float64())
				simulated := newTarget(truth, c.noise, seed)
				simulated.accidents = c.accidents
				f := simulated.run(NewSearch(Plan{
					StartPerS: 50, MinPerS: 1, MaxPerS: 1e6, Resolution: c.resolution, ConfirmMax: 20, Seed: seed,
				}))
				if f.End != Found {
					t.Fatalf("seed %d: %s", seed, f.End)
				}
				if f.Capacity.Low <= truth && truth <= f.Capacity.High {
					covered++
				}
				bias += math.Log(f.Capacity.Value/truth) / seeds
				if c.noise == 0 && f.Capacity.High/f.Capacity.Low > 1+c.resolution {
					t.Errorf("seed %d: from %.1f to %.1f/s, wider than the resolution", seed, f.Capacity.Low, f.Capacity.High)
				}
			}
			if share := float64(covered) / seeds; share < least {
				t.Errorf("the interval covers the truth %.1f %% of the time, want at least %.0f %%", 100*share, 100*least)
			}
			// An accident in a climb, twice at one rate, is one search in some
			// hundred that ends far too low.
			if limit := c.resolution/4 + c.accidents; math.Abs(bias) > limit {
				t.Errorf("the estimate is off by %+.2f %% on average, more than %.2f %%", 100*bias, 100*limit)
			}
		})
	}
}

// TestAWrongTruthIsNotCovered is the test of the test above: told that the truth
// is elsewhere, it must not agree.
func TestAWrongTruthIsNotCovered(t *testing.T) {
	const seeds, most = 50, 3
	covered := 0
	for seed := range uint64(seeds) {
		f := newTarget(1000, 0.02, seed).run(NewSearch(Plan{
			StartPerS: 50, MinPerS: 1, MaxPerS: 1e6, Resolution: 0.05, ConfirmMax: 20, Seed: seed,
		}))
		if f.Capacity.Low <= 1150 && 1150 <= f.Capacity.High {
			covered++
		}
	}
	if covered > most {
		t.Errorf("%d of %d intervals cover what is 15 %% above the truth", covered, seeds)
	}
}

// TestAnySearchEnds whatever the target says, tries nothing beyond its bounds,
// and comes to a finding that makes sense.
func TestAnySearchEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Plan{
			MinPerS:    rapid.Float64Range(0.1, 100).Draw(t, "min"),
			Resolution: rapid.Float64Range(ResolutionMin, ResolutionMax).Draw(t, "resolution"),
			ConfirmMax: rapid.IntRange(confirmBlock, 30).Draw(t, "confirm"),
			Seed:       rapid.Uint64().Draw(t, "seed"),
		}
		p.StartPerS = p.MinPerS * rapid.Float64Range(1, 100).Draw(t, "start")
		p.MaxPerS = p.StartPerS * rapid.Float64Range(1, 1000).Draw(t, "max")
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		s := NewSearch(p)
		outcomes := rapid.SampledFrom([]Outcome{Met, Missed, Invalid})
		// Steps of the climb and of the bisection, each up to ballotMax times.
		limit := ballotMax*(int(math.Log2(p.MaxPerS/p.MinPerS))+3+int(math.Log2(math.Ln2/math.Log1p(p.Resolution)))+3) + 2*p.ConfirmMax + confirmBlock + 1
		n := 0
		for _, perS, more := s.Next(); more; _, perS, more = s.Next() {
			if n++; n > limit {
				t.Fatalf("more than %d probes", limit)
			}
			if perS < round(p.MinPerS) || perS > round(p.MaxPerS) {
				t.Fatalf("%g/s was to be tried", perS)
			}
			if s.Left() < 1 {
				t.Fatal("there is one to come")
			}
			s.Tell(outcomes.Draw(t, "outcome"))
			f := s.Finding()
			if f.AtLeastPerS > 0 && f.BelowPerS > 0 && f.AtLeastPerS >= f.BelowPerS {
				t.Fatalf("%+v", f)
			}
			if e := f.Capacity; e != nil && !(e.Low > 0 && e.Low <= e.Value && e.Value <= e.High) {
				t.Fatalf("%+v", *e)
			}
		}
		if f := s.Finding(); f.End == Stopped || s.Left() != 0 {
			t.Fatalf("%+v with %d to come", f, s.Left())
		}
	})
}

func TestRatesAreRounded(t *testing.T) {
	for perS, want := range map[float64]float64{123456: 123500, 12.34567: 12.35, 0.123456: 0.1235, 1: 1, 9999.7: 10000} {
		if got := round(perS); got != want {
			t.Errorf("%v is rounded to %v, want %v", perS, got, want)
		}
	}
}
