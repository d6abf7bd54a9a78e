package governor

import (
	"context"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// TestItFollowsTheLoad: up at once, down after a while.
func TestItFollowsTheLoad(t *testing.T) {
	s := state{procs: 1, cores: 8}
	for i, want := range []int{2, 4, 8, 8} {
		if s = s.next(0.9 * float64(s.procs)); s.procs != want {
			t.Fatalf("tick %d under load: %d processors, want %d", i, s.procs, want)
		}
	}
	for range calm - 1 {
		s = s.next(0.1)
	}
	if s.procs != 8 {
		t.Errorf("%d processors before it was calm", s.procs)
	}
	s = s.next(0.1)
	if s.procs != 7 {
		t.Errorf("%d processors after a calm second, want one fewer", s.procs)
	}
	for range 10 * calm {
		s = s.next(0.1)
	}
	if s.procs != 1 {
		t.Errorf("%d processors in the end", s.procs)
	}
}

// A load that stays ends in a number that stays, and in one that is enough.
func TestItSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cores := rapid.IntRange(1, 64).Draw(t, "cores")
		s := state{procs: rapid.IntRange(1, cores).Draw(t, "procs"), cores: cores}
		wanted := rapid.Float64Range(0, float64(cores)).Draw(t, "wanted")
		tick := func() { s = s.next(min(wanted, float64(s.procs))) }
		for range 64 * calm {
			tick()
		}
		settled := s.procs
		for range 3 * calm {
			if tick(); s.procs != settled {
				t.Fatalf("%d and %d processors by turns for a load of %.2f", settled, s.procs, wanted)
			}
		}
		if wanted > more*float64(settled) && settled < cores {
			t.Fatalf("%d processors of %d for a load of %.2f", settled, cores, wanted)
		}
	})
}

// TestRunLeavesThingsAsTheyWere.
func TestRunLeavesThingsAsTheyWere(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(0)
	ctx, cancel := context.WithTimeout(t.Context(), 3*tick)
	defer cancel()
	Run(ctx)
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("%d processors afterwards, %d before", got, before)
	}
}
