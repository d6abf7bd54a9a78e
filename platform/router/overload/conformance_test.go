package overload

import (
	"cmp"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// guards are what must hold up: every limiter of the table alone, and what is
// made of them.
func guards() map[string]Config {
	all := map[string]Config{
		"concurrency and criticality": {Concurrency: &ConcurrencyConfig{}, Criticality: &CriticalityConfig{}},
		"concurrency and queue":       {Concurrency: &ConcurrencyConfig{}, Queue: &QueueConfig{}},
		"all of them":                 everything(),
	}
	for _, kind := range Overlays {
		if kind.New != nil {
			all[kind.Name] = only(kind)
		}
	}
	for name, c := range all {
		all[name] = c.WithDefaults()
	}
	return all
}

func everything() Config {
	return Config{
		Concurrency: &ConcurrencyConfig{},
		Breaker:     &BreakerConfig{},
		Admission:   &AdmissionConfig{},
		Criticality: &CriticalityConfig{},
		Queue:       &QueueConfig{},
		Deadline:    &DeadlineConfig{},
	}
}

// only returns a configuration with one limiter.
func only(kind Kind) Config {
	c := everything()
	for _, one := range []Config{
		{Concurrency: c.Concurrency},
		{Breaker: c.Breaker},
		{Admission: c.Admission},
	} {
		if kind.On(one) {
			return one
		}
	}
	panic("overload: " + kind.Name + " is not among the limiters of the test")
}

// How much a service gets that fails everything at once for 10 s, at 1,000
// requests a second.
//
// admission: after 5 that are free, the n-th request goes on with probability
// 6/(n+1): 5 + Σ 6/(n+1) for n up to 10,000 is 50, with a variance below
// that; 6 σ more is 93.
// breaker: 20 to see it, and one after 5 s; what began while it tripped
// (those that 1 ms holds at 1,000/s) is not held against it.
// A concurrency limit bounds what is under way, and nothing else.
var sentToTheDead = map[string]int{ReasonAdmission: 93, ReasonBreaker: 20 + 2 + 5}

func TestBounds(t *testing.T) {
	for name, c := range guards() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c)
			w.broken = func(time.Time, *rand.Rand) bool { return true }
			got := w.offer(1000, 10*time.Second)
			if most, ok := sentToTheDead[name]; ok && got.sent > most {
				t.Errorf("%d of %d requests went to a service that answers none, at most %d", got.sent, got.arrived, most)
			}
			if c.Concurrency == nil {
				return
			}
			w = newWorld(c)
			w.offer(10*capacity, 10*time.Second)
			if w.mostUnderWay > ConcurrencyMax {
				t.Errorf("%d were under way, at most %d", w.mostUnderWay, ConcurrencyMax)
			}
		})
	}
}

// Whatever comes, no more are under way than the maximum, and every end makes
// room.
func TestConcurrencyIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ConcurrencyConfig{Max: rapid.IntRange(1, 50).Draw(t, "max")}.WithDefaults()
		g := NewGuard(Config{Concurrency: &c})
		now, underWay := epoch, 0
		for range rapid.IntRange(1, 500).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "ms")) * time.Millisecond)
			if rapid.Bool().Draw(t, "arrive") {
				if ok, _ := g.Admit(now, nil, Critical); ok {
					underWay++
				} else if underWay == 0 {
					t.Fatal("refused with nothing under way")
				}
			} else if underWay > 0 {
				underWay--
				took := time.Duration(rapid.IntRange(0, 1000).Draw(t, "took")) * time.Millisecond
				g.Done(now, took, Outcome(rapid.IntRange(int(Answered), int(Ignored)).Draw(t, "outcome")))
			}
			if underWay > c.Max {
				t.Fatalf("%d under way, at most %d", underWay, c.Max)
			}
		}
	})
}

// recoversIn is how long it takes from the end of the trouble until all is
// admitted again, half a minute if not stated.
//
// admission: what it lets through is K times what was accepted over the window
// W, on average, so it grows as e^(λt) with 1 = K·(1 − e^(−λW))/(λW). For K = 2
// and W = 10 s it doubles every 4.4 s; from the 0.6/s that it lets through to
// a dead service it reaches 500/s after 42 s.
var recoversIn = map[string]time.Duration{ReasonAdmission: time.Minute}

// Once the load has fallen to what the service can do, or the service is back,
// all is admitted again.
func TestRecovers(t *testing.T) {
	for name, c := range guards() {
		for trouble, bad := range map[string]func(*world){
			"overload": func(w *world) { w.offer(3*capacity, 30*time.Second) },
			"outage": func(w *world) {
				w.broken = func(time.Time, *rand.Rand) bool { return true }
				w.offer(capacity/2, 30*time.Second)
				w.broken = func(time.Time, *rand.Rand) bool { return false }
			},
		} {
			t.Run(name+"/"+trouble, func(t *testing.T) {
				w := newWorld(c)
				bad(w)
				w.offer(capacity/2, cmp.Or(recoversIn[name], 30*time.Second))
				got := w.offer(capacity/2, 10*time.Second)
				if got.answered < got.arrived*999/1000 {
					t.Errorf("%d of %d answered, refused %v", got.answered, got.arrived, got.refused)
				}
			})
		}
	}
}

// Without traffic nothing stays as it was in the outage: the first request
// after it is admitted, and so is the first request ever.
func TestQuiet(t *testing.T) {
	for name, c := range guards() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c)
			if p := w.door.Pressure(epoch); p != 0 {
				t.Errorf("pressure %v before the first request", p)
			}
			if a := w.door.Arrive(epoch, w.rng, Sheddable, -1); !a.Admitted {
				t.Errorf("the first request ever: %+v", a)
			}
			w.door.Done(epoch, 0, Ignored)
			w.broken = func(time.Time, *rand.Rand) bool { return true }
			w.offer(1000, 10*time.Second)
			w.offer(0, time.Hour)
			if p := w.door.Pressure(w.now); p != 0 {
				t.Errorf("pressure %v after an hour of nothing", p)
			}
			if a := w.door.Arrive(w.now, w.rng, Sheddable, -2); !a.Admitted {
				t.Errorf("the first request after an hour: %+v", a)
			}
		})
	}
}

// What says nothing of the service changes nothing.
func TestIgnoredIsIgnored(t *testing.T) {
	for name, c := range guards() {
		t.Run(name, func(t *testing.T) {
			g := NewGuard(c)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range 10_000 {
				now := epoch.Add(time.Duration(i) * time.Millisecond)
				if ok, reason := g.Admit(now, rng, Sheddable); !ok {
					t.Fatalf("request %d is refused: %s", i, reason)
				}
				g.Done(now, time.Second, Ignored)
			}
			if p := g.Pressure(epoch.Add(10 * time.Second)); p != 0 {
				t.Errorf("pressure %v", p)
			}
		})
	}
}

// The same history and the same seed give the same decisions.
func TestDecisionsAreRepeatable(t *testing.T) {
	for name, c := range guards() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			seed := rapid.Uint64().Draw(t, "seed")
			a, b := NewDoor[int](c), NewDoor[int](c)
			rngA, rngB := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
			now, underWay := epoch, 0
			for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
				now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
				switch rapid.IntRange(0, 2).Draw(t, "step") {
				case 0:
					level := Criticality(rapid.IntRange(int(Sheddable), int(CriticalPlus)).Draw(t, "level"))
					got, want := a.Arrive(now, rngA, level, i), b.Arrive(now, rngB, level, i)
					if got != want {
						t.Fatalf("%+v and %+v", got, want)
					}
					if got.Admitted {
						underWay++
					}
				case 1:
					if underWay == 0 {
						continue
					}
					underWay--
					o := Outcome(rapid.IntRange(int(Answered), int(Ignored)).Draw(t, "outcome"))
					a.Done(now, time.Duration(i)*time.Millisecond, o)
					b.Done(now, time.Duration(i)*time.Millisecond, o)
				case 2:
					got, gotOK := a.Next(now, rngA)
					want, wantOK := b.Next(now, rngB)
					if got != want || gotOK != wantOK {
						t.Fatalf("%+v and %+v", got, want)
					}
					if got.Admitted {
						underWay++
					}
				}
				if a.Pressure(now) != b.Pressure(now) {
					t.Fatalf("pressure %v and %v", a.Pressure(now), b.Pressure(now))
				}
			}
		}))
	}
}

// A decision allocates nothing, refused or not.
func TestDecisionsDoNotAllocate(t *testing.T) {
	for name, c := range guards() {
		t.Run(name, func(t *testing.T) {
			d := NewDoor[int](c)
			rng := rand.New(rand.NewPCG(1, 1))
			now, i := epoch, 0
			step := func() {
				now = now.Add(time.Millisecond)
				i++
				if a := d.Arrive(now, rng, Criticality(i%levels), i); a.Admitted && i%3 > 0 {
					d.Done(now, time.Millisecond, Outcome(i%2))
				}
				for {
					if _, ok := d.Next(now, rng); !ok {
						break
					}
				}
			}
			for range 2000 {
				step() // until the queue is as long as it gets
			}
			if n := testing.AllocsPerRun(2000, step); n != 0 {
				t.Errorf("%v allocations a request", n)
			}
		})
	}
}
