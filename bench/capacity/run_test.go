package capacity

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"breakbank/bench/load"
)

// queue is a prober of a simulated target: a queue with one server and random
// service times, whose waits are known (M/M/1): the response is exponential with
// mean 1/(μ-λ).
type queue struct {
	target
	serviceMs float64
	takes     time.Duration
	calls     int
	// fails, if not nil, is asked before each probe, disturbed whether it is
	// invalid.
	fails     func(call int) error
	disturbed func(phase Phase, call int) bool
}

func newQueue(perS float64) *queue {
	return &queue{target: *newTarget(perS, 0.01, 1), serviceMs: 2, takes: 5 * time.Second}
}

func (q *queue) probe(ctx context.Context, phase Phase, perS float64, _ int) (Probe, error) {
	q.calls++
	if q.fails != nil {
		if err := q.fails(q.calls); err != nil {
			return Probe{}, err
		}
	}
	rest(ctx, q.takes)
	if ctx.Err() != nil {
		return Probe{}, context.Cause(ctx)
	}
	// The bound of 100 ms is at perS, so the server does a little more.
	free := math.Max(1, q.perS+math.Log(100)/0.1-perS)
	mean := math.Max(q.serviceMs, 1000/free)
	p50, p99, highest := mean*math.Ln2, mean*math.Log(100), mean*9
	p := Probe{
		Phase: phase, RatePerS: perS, DurationS: 4, WarmUpS: 1, AtS: 5 * float64(q.calls), Outcome: q.target.probe(perS),
		GoodPerS: math.Min(perS, q.perS*math.Min(1, q.perS/perS)), Scheduled: int64(4 * perS),
		LatencyMs: load.Latency{P50: &p50, P99: &p99, Max: &highest},
	}
	if q.disturbed != nil && q.disturbed(phase, q.calls) {
		p.Outcome = Invalid
	}
	p.OK = p.Scheduled
	p.Conditions = []Condition{{Condition: "p99<100ms", Value: &p99, Unit: "ms", Met: p.Outcome == Met, words: "p99<100ms: " + load.Millis(p99) + " ms"}}
	switch {
	case p.Outcome == Invalid:
		p.Why = []string{"send delay p99 23.0 ms, more than 5 ms"}
	case perS > q.perS*1.05:
		p.OK = int64(4 * q.perS)
	}
	return p, nil
}

func options(t *testing.T) Options {
	t.Helper()
	objective, err := ParseObjective(DefaultObjective)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Spec:      load.Spec{Method: &load.MethodSpec{Name: "grpc.testing.TestService/UnaryCall"}},
		Objective: objective, WarmUp: DefaultWarmUp, Pause: DefaultPause,
		Plan: Plan{StartPerS: 100, MinPerS: 1, MaxPerS: DefaultMaxPerS, Resolution: DefaultResolution, ConfirmMax: DefaultConfirm, Seed: 1},
	}
}

// search runs a search against a queue, in virtual time.
func search(t *testing.T, ctx context.Context, o Options, q *queue) (r *Result, said []Progress, err error) {
	t.Helper()
	o.Progress = func(p Progress) { said = append(said, p) }
	r = newResult(&o, time.Now())
	err = run(ctx, &o, r, q)
	return r, said, err
}

func TestRunFindsAndDraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, said, err := search(t, t.Context(), options(t), newQueue(1234))
		if err != nil {
			t.Fatal(err)
		}
		if e := r.CapacityPerS; !r.Valid || r.Partial || r.End != Found || e == nil || e.Low > 1234 || e.High < 1234 {
			t.Fatalf("%+v %v %v", r.CapacityPerS, r.End, r.InvalidReasons)
		}
		curve := r.in(Curve)
		if len(curve) != curvePoints {
			t.Fatalf("%d points of the curve", len(curve))
		}
		rising := true
		for i := range curve[1:] {
			rising = rising && curve[i].RatePerS < curve[i+1].RatePerS
		}
		if rising {
			t.Error("the curve was not probed in random order")
		}
		if len(said) != len(r.Probes) || said[len(said)-1].Left != 0 {
			t.Errorf("%d of %d probes were said, the last with %v left", len(said), len(r.Probes), said[len(said)-1].Left)
		}
		text := Text(r)
		for _, want := range []string{"/s (95 %: ", "VALID", "offered/s", "missed p99<100ms: "} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	})
}

// TestTheCurveMakesUpForWhatWasInvalid once, and no more.
func TestTheCurveMakesUpForWhatWasInvalid(t *testing.T) {
	for name, c := range map[string]struct {
		disturbed    func(nth int) bool // of the curve's probes, from 1
		probes, want int
	}{
		"four of twelve": {func(nth int) bool { return nth <= curvePoints && nth%3 == 0 }, curvePoints + 4, curvePoints},
		"all, always":    {func(int) bool { return true }, 2 * curvePoints, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, nth := newQueue(1234), 0
				q.disturbed = func(phase Phase, _ int) bool {
					if phase == Curve {
						nth++
					}
					return phase == Curve && c.disturbed(nth)
				}
				r, said, err := search(t, t.Context(), options(t), q)
				if err != nil {
					t.Fatal(err)
				}
				valid := 0
				for _, p := range points(r) {
					if p.Outcome != Invalid {
						valid++
					}
				}
				if n := len(points(r)); nth != c.probes || n != curvePoints || valid != c.want {
					t.Errorf("%d probes, %d points, %d of them valid; want %d, %d, %d", nth, n, valid, c.probes, curvePoints, c.want)
				}
				if !r.Valid || said[len(said)-1].Left != 0 {
					t.Errorf("valid %v, %v left", r.Valid, said[len(said)-1].Left)
				}
			})
		})
	}
}

func TestTheTimeLeftIsAboutRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, q := options(t), newQueue(1234)
		began := time.Now()
		ends := map[int]time.Duration{}
		o.Progress = func(p Progress) { ends[p.Number] = time.Since(began) + p.Left }
		r := newResult(&o, began)
		if err := run(t.Context(), &o, r, q); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		// Confirming may stop at half of what it may take.
		for number, end := range ends {
			if end < took*9/10 || end > took*14/10 {
				t.Errorf("after probe %d the end was expected at %v; it was %v", number, end, took)
			}
		}
	})
}

func TestTheGeneratorWasTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1234)
		q.generatorPerS = 900
		r, _, err := search(t, t.Context(), options(t), q)
		if err != nil {
			t.Fatal(err)
		}
		if r.Valid || r.End != ByGenerator || r.CapacityPerS != nil || r.AtLeastPerS > 900 || r.AtLeastPerS < 850 {
			t.Errorf("%v, valid %v, at least %g/s", r.End, r.Valid, r.AtLeastPerS)
		}
		if why := strings.Join(r.InvalidReasons, "; "); !strings.Contains(why, "the generator was the limit") || !strings.Contains(why, "send delay p99") {
			t.Errorf("%s", why)
		}
		for _, p := range r.in(Curve) {
			if p.RatePerS > r.AtLeastPerS {
				t.Errorf("the curve goes on to %g/s, beyond the generator", p.RatePerS)
			}
		}
		if !strings.Contains(headline(r), "at least") {
			t.Error(headline(r))
		}
	})
}

// TestInterruptedKeepsWhatWasMeasured at any moment.
func TestInterruptedKeepsWhatWasMeasured(t *testing.T) {
	for _, after := range []time.Duration{7 * time.Second, 40 * time.Second, 80 * time.Second, 150 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			began := time.Now()
			r, said, err := search(t, ctx, options(t), newQueue(1234))
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > after {
				t.Errorf("it went on for %v after %v", took-after, after)
			}
			if !r.Partial || r.Valid || len(r.Probes) == 0 || len(r.Probes) != len(said) {
				t.Errorf("after %v: partial %v, valid %v, %d probes", after, r.Partial, r.Valid, len(r.Probes))
			}
			if !strings.Contains(strings.Join(r.InvalidReasons, "; "), "interrupted") {
				t.Errorf("%v", r.InvalidReasons)
			}
			if found := r.CapacityPerS != nil; found != (after >= 80*time.Second) {
				t.Errorf("after %v: %s", after, headline(r))
			}
			for _, p := range said {
				if p.String() == "" {
					t.Error("nothing was said")
				}
			}
		})
	}
}

func TestATargetThatGoes(t *testing.T) {
	gone := errors.New("connect to 127.0.0.1:1: refused")
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1234)
		q.fails = func(call int) error {
			if call > 3 {
				return gone
			}
			return nil
		}
		r, _, err := search(t, t.Context(), options(t), q)
		if err != nil || !r.Partial || len(r.Probes) != 3 || r.AtLeastPerS != 400 {
			t.Fatalf("%v, %+v", err, r)
		}
		if why := r.InvalidReasons[0]; !strings.Contains(why, "probe at 800/s") || !strings.Contains(why, "refused") {
			t.Error(why)
		}
		q.fails = func(int) error { return gone }
		if _, _, err := search(t, t.Context(), options(t), q); !errors.Is(err, gone) {
			t.Errorf("%v, want that it is not there", err)
		}
	})
}

func TestTheEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, err := search(t, t.Context(), options(t), newQueue(1234))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var read struct {
			Schema   int                `json:"schema"`
			Kind     string             `json:"kind"`
			Valid    *bool              `json:"valid"`
			Capacity map[string]float64 `json:"capacity_per_s"`
			Probes   []struct {
				Outcome    string           `json:"outcome"`
				Conditions []map[string]any `json:"conditions"`
			} `json:"probes"`
		}
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		if read.Schema != 1 || read.Kind != "capacity" || read.Valid == nil || read.Capacity["low"] == 0 || read.Probes[0].Outcome != "met" || len(read.Probes[0].Conditions) != 1 {
			t.Errorf("%s", data[:500])
		}
	})
}
